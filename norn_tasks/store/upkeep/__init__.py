"""Retention, counters and other work that only one process does at a time."""
