"""What a job costs at each stage: `python -m tests.benchmarks.queue.cost`; docs/benchmarks.md has its table."""
