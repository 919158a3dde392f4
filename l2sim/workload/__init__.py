"""Workloads: who pays whom, when, how much, drawn once and sent through every system."""
