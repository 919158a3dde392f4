"""The baseline: every payment is a transaction of its own on L1."""
