"""The code of a worker process: its leases, its reports about itself, and the jobs that it runs. `tasks` runs it under
Celery.
"""
