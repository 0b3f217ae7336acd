"""Benchmarks. Each compares programs in one run and prints the ratios; none fails because of a time."""
