"""A Bitcoin-like chain: Poisson blocks of limited weight, a mempool by fee rate, everybody else as background."""
