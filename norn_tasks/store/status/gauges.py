"""The current state as gauges: queues, running jobs, workers, beats."""

from __future__ import annotations

from sqlalchemy import text

from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.store.database.session import Tx
from norn_tasks.store.queue import readiness

Gauges = dict[str, dict[tuple[str, ...], float]]
"""By metric and the values of its labels."""

_RUNNING = text("SELECT class, count(*) AS running FROM jobs WHERE state = 'running' GROUP BY class")
_WORKERS = text("""
SELECT class, count(*) AS workers, sum(slots)::float8 AS slots, sum(busy)::float8 AS busy FROM workers
 WHERE seen_at > clock_timestamp() - interval '60 s' GROUP BY class""")
_BEATS = text("""
SELECT count(*) AS beats, coalesce(max(lag_seconds), 0)::float8 AS lag FROM beats
 WHERE seen_at > clock_timestamp() - interval '15 s'""")


def gauges(tx: Tx) -> Gauges:
    """Returns every gauge; a class without work or workers has zeros."""
    found: Gauges = {name: {(str(c),): 0.0 for c in JobClass} for name in _PER_CLASS}
    for job_class, queue in readiness.depths(tx).items():
        found["norn_queue_depth"][job_class,] = queue.depth
        found["norn_queue_oldest_seconds"][job_class,] = queue.oldest_seconds
    for row in tx.execute(_RUNNING).mappings():
        found["norn_jobs_running"][row["class"],] = row["running"]
    for row in tx.execute(_WORKERS).mappings():
        found["norn_workers"][row["class"],] = row["workers"]
        found["norn_worker_slots"][row["class"],] = row["slots"]
        found["norn_worker_busy"][row["class"],] = row["busy"]
    beats = tx.execute(_BEATS).one()
    return {**found, "norn_beats": {(): beats.beats}, "norn_beat_lag_seconds": {(): beats.lag}}


_PER_CLASS = (
    "norn_queue_depth", "norn_queue_oldest_seconds", "norn_jobs_running", "norn_workers", "norn_worker_slots",
    "norn_worker_busy",
)  # fmt: skip
