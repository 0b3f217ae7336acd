"""Executions: cron runs, function calls and one-off commands."""
