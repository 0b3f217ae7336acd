"""A worker process from the inside: its heart, its presence, the jobs it runs. `tasks` hangs it under Celery."""
