"""Reads a fetched source, for several steps."""
