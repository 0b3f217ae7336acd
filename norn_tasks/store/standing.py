"""How things stand right now, as gauges: queues, running jobs, workers, beats."""

from __future__ import annotations

from sqlalchemy import text

from norn_tasks.domain.job import JobClass
from norn_tasks.store.session import Tx

Gauges = dict[str, dict[tuple[str, ...], float]]
"""By metric and the values of its labels."""

_QUEUES = text("""
SELECT class, count(*) AS depth,
       extract(epoch FROM clock_timestamp() - min(greatest(created_at, run_after)))::float8 AS oldest
  FROM jobs WHERE state = 'queued' AND run_after <= clock_timestamp() AND cancel_requested_at IS NULL GROUP BY class""")
_RUNNING = text("SELECT class, count(*) AS running FROM jobs WHERE state = 'running' GROUP BY class")
_WORKERS = text("""
SELECT class, count(*) AS workers, sum(slots)::float8 AS slots, sum(busy)::float8 AS busy FROM workers
 WHERE seen_at > clock_timestamp() - interval '60 s' GROUP BY class""")
_BEATS = text("""
SELECT count(*) AS beats, coalesce(max(lag_seconds), 0)::float8 AS lag FROM beats
 WHERE seen_at > clock_timestamp() - interval '15 s'""")


def gauges(tx: Tx) -> Gauges:
    """Answers every gauge; a class without work or workers has zeros."""
    told: Gauges = {name: {(str(c),): 0.0 for c in JobClass} for name in _PER_CLASS}
    for row in tx.execute(_QUEUES).mappings():
        told["norn_queue_depth"][row["class"],] = row["depth"]
        told["norn_queue_oldest_seconds"][row["class"],] = max(0.0, row["oldest"])
    for row in tx.execute(_RUNNING).mappings():
        told["norn_jobs_running"][row["class"],] = row["running"]
    for row in tx.execute(_WORKERS).mappings():
        told["norn_workers"][row["class"],] = row["workers"]
        told["norn_worker_slots"][row["class"],] = row["slots"]
        told["norn_worker_busy"][row["class"],] = row["busy"]
    beats = tx.execute(_BEATS).one()
    return {**told, "norn_beats": {(): beats.beats}, "norn_beat_lag_seconds": {(): beats.lag}}


_PER_CLASS = (
    "norn_queue_depth", "norn_queue_oldest_seconds", "norn_jobs_running", "norn_workers", "norn_worker_slots",
    "norn_worker_busy",
)  # fmt: skip
