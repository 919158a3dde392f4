"""Small worlds and workloads that tests of several rooms build on."""
