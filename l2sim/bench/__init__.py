"""Benchmarks of the measured core and of whole scenarios, as a library."""
