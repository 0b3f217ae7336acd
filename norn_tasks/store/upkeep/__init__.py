"""Retention, counters and other work that one process does at a time."""
