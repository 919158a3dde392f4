"""Mock L1s: blocks, mempool, fee market, background demand and finality, Bitcoin-like and Ethereum-like."""
