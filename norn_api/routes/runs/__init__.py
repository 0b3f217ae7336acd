"""Routes of everything that runs a container once: cron runs, function calls, one-off commands, exec sessions."""
