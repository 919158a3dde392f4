"""An Ethereum-like chain: slots, EIP-1559 base fee, blobs, forks as data, everybody else as background."""
