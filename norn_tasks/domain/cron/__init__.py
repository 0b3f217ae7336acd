"""Cron expressions: reading them, their next occurrences, and their description in words."""
