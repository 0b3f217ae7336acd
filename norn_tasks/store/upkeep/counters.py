"""Counters: each event is counted exactly once, so that the figures survive restarts and outlive the events.

One process at a time continues from the saved cursor, and writes the cursor and the sums in one transaction. Figures
about a job are counted with the job's last event, and read from the job's row.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.store.database.session import Database, Row, Tx
from norn_tasks.store.events import stream
from norn_tasks.store.events.stream import Cursor, StoredEvent
from norn_tasks.store.upkeep import exclusive_tasks

BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
"""The upper bounds of the buckets of every histogram, in seconds; one more bucket has the longer times."""
BATCH = 1000
"""How many events one transaction counts."""

Key = tuple[str, tuple[str, ...]]
"""A figure's name and the values of its labels, in the order in which the metric names them."""


@dataclass
class Tally:
    """A count; for durations also their sum, and how many fell into each bucket."""

    count: int = 0
    sum: float = 0.0
    buckets: list[int] = field(default_factory=list)

    def observe(self, seconds: float) -> None:
        """Counts a duration."""
        self.buckets = self.buckets or [0] * (len(BOUNDS) + 1)
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.count += 1
        self.sum += seconds


_JOBS = text("""
SELECT j.id, j.class, j.kind, j.state, j.claims, j.error->>'code' AS code,
       extract(epoch FROM j.ended_at - j.created_at)::float8 AS took,
       extract(epoch FROM j.first_claimed_at - greatest(j.created_at, j.run_after))::float8 AS waited,
       coalesce(f.state, c.state) AS run_state, coalesce(f.duration_ms, c.duration_ms) AS run_ms
  FROM jobs j LEFT JOIN func_executions f ON f.id = j.execution AND j.kind = 'invoke'
  LEFT JOIN cron_executions c ON c.id = j.execution AND j.kind = 'cron-run'
 WHERE j.id = ANY(:ids)""")
_ADD = text("""
INSERT INTO tallies AS t (name, labels, count, sum, buckets)
VALUES (:name, CAST(:labels AS text[]), :count, :sum, CAST(:buckets AS bigint[]))
ON CONFLICT (name, labels) DO UPDATE SET count = t.count + excluded.count, sum = t.sum + excluded.sum,
  buckets = CASE WHEN t.buckets = '{}' THEN excluded.buckets ELSE
    ARRAY(SELECT u.a + u.b FROM unnest(t.buckets, excluded.buckets) WITH ORDINALITY AS u(a, b, n) ORDER BY u.n) END""")
_PLACE = text("SELECT did FROM chores WHERE name = :name FOR UPDATE SKIP LOCKED")


def count(database: Database) -> int:
    """Counts the events that are not counted yet; returns their number. Raises DatabaseDown."""
    total = 0
    while True:
        with database.transaction() as tx:
            events = _next(tx)
            if events:
                _add(tx, _counted(tx, events))
                exclusive_tasks.done(tx, exclusive_tasks.TALLIES, **_written(events[-1].place))
        total += len(events)
        if len(events) < BATCH:
            return total


def all_of(tx: Tx) -> dict[Key, Tally]:
    """Returns every figure."""
    rows = tx.execute(text("SELECT name, labels, count, sum, buckets FROM tallies ORDER BY name, labels")).mappings()
    return {(row["name"], tuple(row["labels"])): Tally(row["count"], row["sum"], list(row["buckets"])) for row in rows}


def _next(tx: Tx) -> tuple[StoredEvent, ...]:
    """Returns the next events, under the lock of the cursor; none if another process is counting."""
    tx.execute(
        text("INSERT INTO chores(name) VALUES (:name) ON CONFLICT DO NOTHING"), {"name": exclusive_tasks.TALLIES}
    )
    row = tx.execute(_PLACE, {"name": exclusive_tasks.TALLIES}).one_or_none()
    if row is None:
        return ()
    at = Cursor(int(row.did["xact"]), int(row.did["id"])) if row.did else Cursor()
    return stream.after(tx, at, limit=BATCH)


def _written(at: Cursor) -> dict[str, Any]:
    return {"xact": at.xact, "id": at.id}


def _counted(tx: Tx, events: Iterable[StoredEvent]) -> dict[Key, Tally]:
    tallies: dict[Key, Tally] = defaultdict(Tally)
    events = tuple(events)
    ids = [event.job for event in events if event.job is not None]
    jobs = {row["id"]: row for row in tx.execute(_JOBS, {"ids": ids}).mappings()} if ids else {}
    for event in events:
        for name, labels, seconds in _figures(event, jobs.get(event.job)):
            tally = tallies[name, labels]
            if seconds is None:
                tally.count += 1
            else:
                tally.observe(max(0.0, seconds))
    return tallies


def _figures(event: StoredEvent, job: Row | None) -> Iterator[tuple[str, tuple[str, ...], float | None]]:
    """Yields the increments of one event: the name, the labels, and seconds for a duration."""
    data = event.data
    if event.kind == EventKind.JOB_ACCEPTED:
        yield "norn_jobs_accepted_total", (str(data.get("kind", "")),), None
    elif event.kind == EventKind.STEP_ENDED:
        yield "norn_step_seconds", (str(data["name"]), str(data["state"])), float(data.get("seconds") or 0.0)
    elif event.kind == EventKind.TICK_DECIDED:
        yield "norn_cron_occurrences_total", (str(data.get("verdict", "")),), None
    elif job is not None and event.kind == EventKind.JOB_REQUEUED:
        yield "norn_leases_expired_total", (job["class"], "requeued"), None
    elif job is not None and event.kind == EventKind.JOB_HANDED_BACK:
        yield "norn_jobs_handed_back_total", (job["class"],), None
    elif job is not None and event.kind == EventKind.JOB_ENDED:
        yield from _ended(job)


def _ended(job: Row) -> Iterator[tuple[str, tuple[str, ...], float | None]]:
    yield "norn_jobs_ended_total", (job["kind"], job["state"]), None
    for _ in range(job["claims"]):
        yield "norn_claims_total", (job["class"],), None
    if job["took"] is not None:
        yield "norn_job_seconds", (job["kind"],), job["took"]
    if job["waited"] is not None:
        yield "norn_job_wait_seconds", (job["class"],), job["waited"]
    if job["code"] == "worker_lost":
        yield "norn_leases_expired_total", (job["class"], "lost"), None
    if job["run_state"] is not None:
        yield "norn_runs_total", (job["kind"], job["run_state"]), None
    if job["run_ms"] is not None:
        yield "norn_run_seconds", (job["kind"],), job["run_ms"] / 1000


def _add(tx: Tx, tallies: dict[Key, Tally]) -> None:
    for (name, labels), tally in sorted(tallies.items()):
        values = {"count": tally.count, "sum": tally.sum, "buckets": tally.buckets}
        tx.execute(_ADD, {"name": name, "labels": list(labels), **values})
