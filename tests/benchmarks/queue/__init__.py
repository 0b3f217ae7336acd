"""Compares Norn's queue with other queues (`make bench-queue`), and measures the cost of a job at each stage (`python
-m tests.benchmarks.queue.cost`). The results are in docs/benchmarks.md.
"""
