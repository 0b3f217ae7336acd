"""Where cron runs and function calls live: one file per runtime."""
