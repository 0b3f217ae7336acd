"""Norn's router beside Caddy, nginx and HAProxy, in one run: `make bench-router`; docs/benchmarks.md has its table."""
