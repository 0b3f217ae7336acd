"""A worker process from the inside: its leases, its presence, the jobs it runs. `tasks` runs it under Celery."""
