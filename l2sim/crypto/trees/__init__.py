"""Hash trees of the systems simulated: Bitcoin, RFC 6962, SSZ, sorted pairs, Merkle-Patricia, sparse accounts."""
