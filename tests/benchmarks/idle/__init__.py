"""Measures the memory and CPU of an idle Norn with no apps and with 25: `make bench-idle`. The table is in
docs/benchmarks.md.
"""
