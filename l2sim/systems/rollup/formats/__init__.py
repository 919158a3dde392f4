"""What a batch is in bytes, by the kind of rollup that posts it, and the way back."""
