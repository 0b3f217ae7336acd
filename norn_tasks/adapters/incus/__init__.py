"""Incus: an engine of system containers, on which cron runs and function calls run when their spec says so."""
