"""Unit tests: each file tests one module, without a database, a broker or an engine."""
