"""Experiments: one run of a scenario, every system in a world of its own, and its result."""
