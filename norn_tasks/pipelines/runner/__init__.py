"""Runs a pipeline: skips steps that are done or not needed, runs the others, and records all of this in the ledger.

Nothing else records the progress of a pipeline.

The runner ends a job as succeeded, failed, in error or cancelled, or hands it back to the queue when the worker drains
or the job is postponed. It leaves a job without an end in two cases. If the lease is lost, another worker has the job.
If PostgreSQL is unreachable for longer than the lease, or the engine is unreachable after a cancellation, the sweeper
takes the job over.
"""

from norn_tasks.pipelines.runner.runner import Runner

__all__ = ["Runner"]
