"""Norn's beat beside other beats of Celery, in one run: `make bench-cron`; docs/benchmarks.md keeps what it printed."""
