"""Compares Norn's router with Caddy, nginx and HAProxy in one run: `make bench-router`. The table is in
docs/benchmarks.md.
"""
