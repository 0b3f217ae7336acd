"""Measures the cost of a job at each stage: `python -m tests.benchmarks.queue.cost`. The table is in
docs/benchmarks.md.
"""
