"""How a rollup's state becomes final on L1: optimistic or by validity proof."""
