"""The scheduler (Celery's beat): one loop that decides due schedules, repeats wake-ups, and runs the sweeper."""
