"""How a rollup's state becomes final on L1: by a challenge window and disputes, or by proofs."""
