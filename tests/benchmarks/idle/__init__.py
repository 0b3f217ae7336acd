"""What an idle Norn takes, with no apps and with 25: `make bench-idle`; docs/benchmarks.md has its table."""
