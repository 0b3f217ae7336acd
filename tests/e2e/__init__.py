"""End-to-end tests: a running Norn with all its processes."""
