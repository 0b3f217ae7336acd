"""The code of a worker process: its leases, its presence, and the jobs that it runs. `tasks` runs it under Celery."""
