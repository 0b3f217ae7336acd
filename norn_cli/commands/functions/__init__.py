"""Commands for functions and cron schedules."""
