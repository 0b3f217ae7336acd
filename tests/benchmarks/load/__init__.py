"""Measures the loads that Norn must handle on two cores: `make bench-load`. docs/benchmarks.md describes them."""
