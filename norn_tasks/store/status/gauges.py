"""The current state as gauges: queues, running jobs, workers, schedulers, and the usage and calls of apps."""

from __future__ import annotations

from sqlalchemy import text

from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.store.database.session import Tx
from norn_tasks.store.queue import readiness
from norn_tasks.store.status import call_figures

Gauges = dict[str, dict[tuple[str, ...], float]]
"""The values, by metric and by the values of its labels."""

_RUNNING = text("SELECT class, count(*) AS running FROM jobs WHERE state = 'running' GROUP BY class")
_WORKERS = text("""
SELECT class, count(*) AS workers, sum(slots)::float8 AS slots, sum(busy)::float8 AS busy FROM workers
 WHERE seen_at > clock_timestamp() - interval '60 s' GROUP BY class""")
_BEATS = text("""
SELECT count(*) AS beats, coalesce(max(lag_seconds), 0)::float8 AS lag FROM beats
 WHERE seen_at > clock_timestamp() - interval '15 s'""")


_USAGE = text("""
SELECT w.app, r ->> 'name' AS replica, sum((r -> 'usage' ->> 'cpus')::float8) AS cpus,
       sum((r -> 'usage' ->> 'memory')::float8) AS memory,
       max(extract(epoch FROM clock_timestamp()) - (r -> 'usage' ->> 'at')::float8)::float8 AS age
  FROM workload_status w CROSS JOIN jsonb_array_elements(w.replicas) r
 WHERE jsonb_typeof(r -> 'usage') = 'object' GROUP BY w.app, replica""")


_DRAINING = text("""
SELECT app, count(*) AS replicas, coalesce(sum(connections), 0)::float8 AS connections FROM replicas
 WHERE state = 'draining' GROUP BY app""")


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
    return {
        **found,
        **_usage(tx),
        **_calls(tx),
        **_draining(tx),
        "norn_beats": {(): beats.beats},
        "norn_beat_lag_seconds": {(): beats.lag},
    }


def _usage(tx: Tx) -> Gauges:
    """Returns the usage of each replica. While one replica replaces another one of the same name, their usage is added
    up.
    """
    rows = tx.execute(_USAGE).all()
    return {
        "norn_replica_cpus": {(row.app, row.replica): row.cpus for row in rows if row.cpus is not None},
        "norn_replica_memory_bytes": {(row.app, row.replica): row.memory for row in rows},
        "norn_replica_usage_age_seconds": {(row.app, row.replica): max(0.0, row.age) for row in rows},
    }


def _draining(tx: Tx) -> Gauges:
    """Returns the draining replicas of each app that has some, and their open connections."""
    rows = tx.execute(_DRAINING).all()
    return {
        "norn_replicas_draining": {(row.app,): row.replicas for row in rows},
        "norn_replicas_draining_connections": {(row.app,): row.connections for row in rows},
    }


def _calls(tx: Tx) -> Gauges:
    """Returns the calls of the last hour of each function that was called."""
    found = call_figures.of_all(tx)
    quantiles = {
        (app, name): each for app, of in found.items() for name, each in (("0.5", of.p50_ms), ("0.99", of.p99_ms))
    }
    return {
        "norn_function_calls": {(app,): of.calls for app, of in found.items()},
        "norn_function_errors": {(app,): of.errors for app, of in found.items()},
        "norn_function_seconds": {labels: ms / 1000 for labels, ms in quantiles.items() if ms is not None},
    }


_PER_CLASS = (
    "norn_queue_depth", "norn_queue_oldest_seconds", "norn_jobs_running", "norn_workers", "norn_worker_slots",
    "norn_worker_busy",
)  # fmt: skip
