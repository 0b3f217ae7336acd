"""The loads that Norn is to hold on two cores: `make bench-load`; docs/benchmarks.md says what they are."""
