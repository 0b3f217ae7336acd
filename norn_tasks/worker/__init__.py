"""A worker process from the inside: its leases, its presence, the jobs it runs. `tasks` hangs it under Celery."""
