"""Cron expressions: parses them, computes their occurrences, and describes them in words."""
