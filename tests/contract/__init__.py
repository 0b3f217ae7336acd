"""Contract tests: each runs against the fake of a port and against its real adapter."""
