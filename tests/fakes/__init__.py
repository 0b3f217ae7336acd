"""Fakes: implementations of the ports (interfaces) in memory, for tests."""
