"""Compares Norn's scheduler with other schedulers of Celery in one run: `make bench-cron`. The results are in
docs/benchmarks.md.
"""
