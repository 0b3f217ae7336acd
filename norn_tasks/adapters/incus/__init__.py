"""Incus: an engine for system containers. Cron runs and function calls run on it if their infraspec says so."""
