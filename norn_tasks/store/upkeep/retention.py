"""Retention: deletes rows that are too old or too many, in batches so small that no other transaction waits long.

A table is read in the order of its ids, oldest first. Some rows stay at any age, for example live releases and open
jobs; the conditions below define them. A batch is one short transaction; PostgreSQL itself ends a batch that takes
longer than `BATCH_MS`, and the batch is then retried with half as many rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from sqlalchemy import CursorResult, text
from sqlalchemy.exc import OperationalError

from norn_tasks.store.database.session import Database, Tx
from norn_tasks.store.rules.lists import OPEN_RUN_STATES, OPEN_STATES

BATCH_MS = 100
"""The most milliseconds for which a batch may hold a lock."""
_FIRST, _PAGE = 20, 2000
"""The number of rows of the first batch, and the most rows of a batch and of a page."""
_SLOW = 0.04
"""Seconds after which the next batch is made smaller."""
_CANCELLED = "57014"
"""PostgreSQL's code for a statement that exceeded its time limit."""

# `_APPS` finds the apps of a table in its index (app, …), with one step per app. `_NTH` finds, for an app with more
# rows than are kept, the newest row that may be deleted.
_APPS = """WITH RECURSIVE a AS ((SELECT app FROM {table} WHERE app IS NOT NULL ORDER BY app LIMIT 1)
    UNION ALL SELECT (SELECT t.app FROM {table} t WHERE t.app > a.app ORDER BY t.app LIMIT 1) FROM a
     WHERE a.app IS NOT NULL)
SELECT app FROM a WHERE app IS NOT NULL"""
_NTH = "SELECT id FROM {table} WHERE app = :app ORDER BY id DESC OFFSET :most LIMIT 1"
_OLD_KEYS = """DELETE FROM idempotency WHERE ctid = ANY(ARRAY(SELECT ctid FROM idempotency
    WHERE created_at < clock_timestamp() - interval '1 day' LIMIT :size))"""
_OLD_FILES = f"""DELETE FROM secret_files WHERE job_id = ANY(ARRAY(SELECT f.job_id FROM secret_files f
    WHERE f.at < clock_timestamp() - interval '1 hour'
      AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = f.job_id AND j.state IN {OPEN_STATES}) LIMIT :size))"""  # noqa: S608


_OPEN_JOB = f"r.state IN {OPEN_STATES}"
_HOLDS = """EXISTS (SELECT 1 FROM slots s WHERE s.job_id = r.id)
    OR EXISTS (SELECT 1 FROM memory_held m WHERE m.job_id = r.id)"""
_HELD_BY_KEY = "EXISTS (SELECT 1 FROM idempotency i WHERE i.job_id = r.id)"
_OF_KEPT_RELEASE = """(r.kind = 'deploy' AND EXISTS (SELECT 1 FROM releases l
    WHERE l.app = r.app AND l.n = r.release AND l.live_at IS NOT NULL AND l.pruned_at IS NULL))"""
_FAILED_LATELY = """(r.state IN ('failed', 'error', 'dead')
    AND r.ended_at > clock_timestamp() - make_interval(secs => :failed_seconds)
    AND EXISTS (SELECT 1 FROM step_logs l WHERE l.job_id = r.id))"""
_HELD_EVENT = """(EXISTS (SELECT 1 FROM jobs j WHERE j.id = r.job_id) OR (r.xact, r.id) > (
    SELECT CAST(coalesce(did->>'xact', '0') AS xid8), CAST(coalesce(did->>'id', '0') AS bigint)
      FROM chores WHERE name = 'tallies'))"""
_LAST_OF_TICK = "greatest(t.decided_at, t.until)"
"""A range is as old as its last occurrence. Otherwise the row of a long pause would be deleted as soon as the pause
ends.
"""
_END_OF_STATE = "coalesce(t.ended_at, clock_timestamp())"
_OPEN_RUN = f"r.state IN {OPEN_RUN_STATES}"


@dataclass(frozen=True)
class RetentionLimits:
    """The settings of retention: how long rows are kept, and how many of an app."""

    days: float
    per_app: int
    runs_days: float
    runs_per_app: int
    failed_days: float
    audit_days: float


@dataclass(frozen=True)
class _Rule:
    """The rule for one table: how a row's age is computed, the condition under which the row stays, and what else to
    delete.

    `at` is SQL over the row `t`, `stays` over the row `r`. `per_app` is None if the number of rows is not limited.
    `also` are the statements that delete everything that belongs to the rows with the ids `:ids`.
    """

    table: str
    at: str
    days: float
    per_app: int | None
    stays: str
    also: tuple[str, ...] = ()


def _rules(keep: RetentionLimits) -> tuple[_Rule, ...]:
    return (
        _Rule(
            "jobs", "t.created_at", keep.days, keep.per_app,
            f"({_OPEN_JOB} OR {_HOLDS} OR {_HELD_BY_KEY} OR {_OF_KEPT_RELEASE} OR {_FAILED_LATELY})",
            (
                "DELETE FROM step_logs WHERE job_id = ANY(:ids)",
                "DELETE FROM steps WHERE job_id = ANY(:ids)",
                "DELETE FROM events WHERE job_id = ANY(:ids)",
            ),
        ),
        # An event of a job stays as long as the job, because clients read its stream from the first event to the last.
        # Every event stays until it is counted.
        _Rule("events", "t.at", keep.days, keep.per_app, _HELD_EVENT),
        _Rule(
            "func_executions", "t.created_at", keep.days, keep.per_app, _OPEN_RUN,
            ("DELETE FROM execution_io WHERE execution = ANY(:ids)",),
        ),
        _Rule("cron_executions", "t.created_at", keep.runs_days, keep.runs_per_app, _OPEN_RUN),
        _Rule("oneoffs", "t.created_at", keep.runs_days, keep.runs_per_app, _OPEN_RUN),
        _Rule("cron_ticks", _LAST_OF_TICK, keep.runs_days, keep.runs_per_app, "r.open"),
        _Rule("alerts", "t.raised_at", keep.runs_days, keep.runs_per_app, "r.resolved_at IS NULL"),
        _Rule("replica_ends", "t.at", keep.runs_days, keep.runs_per_app, "false"),
        _Rule("app_states", _END_OF_STATE, keep.runs_days, keep.runs_per_app, "r.ended_at IS NULL"),
        _Rule("deliveries", "t.created_at", keep.days, None, "r.state = 'waiting'"),
        _Rule(
            "push_deliveries", "t.last_at", keep.days, None, "false",
            ("DELETE FROM push_jobs WHERE delivery = ANY(:ids)",),
        ),
        _Rule("audit", "t.at", keep.audit_days, None, "false"),
    )  # fmt: skip


@dataclass(frozen=True)
class Tidied:
    """The rows that one pass removed, by table, and the duration of its longest batch (milliseconds)."""

    removed: dict[str, int]
    longest_ms: int


class _TooSlow(Exception):
    """Raised when a batch took too long. It is rolled back, and tried again with fewer rows."""


def tidy(database: Database, keep: RetentionLimits, go_on: Callable[[], bool] = lambda: True) -> Tidied:
    """Deletes rows that need not be kept; stops between two batches when `go_on` returns False. Raises DatabaseDown."""
    work = _Work(database, keep.failed_days * 86400, go_on)
    for rule in _rules(keep):
        work.by_age(rule)
        if rule.per_app is not None:
            work.by_number(rule, rule.per_app)
    work.spent("idempotency", _OLD_KEYS)
    work.spent("secret_files", _OLD_FILES)
    return Tidied(work.removed, round(work.longest * 1000))


class _RetentionBatch:
    """A short transaction with a time limit: each statement gets the time that is left."""

    def __init__(self, tx: Tx) -> None:
        self._tx, self._began = tx, monotonic()

    def run(self, statement: str, **bound: Any) -> CursorResult[Any]:
        """Runs a statement; raises _TooSlow when the batch's time is over."""
        left = BATCH_MS - int((monotonic() - self._began) * 1000)
        if left < 1:
            raise _TooSlow
        self._tx.execute(text(f"SET LOCAL statement_timeout = {left}"))
        try:
            return self._tx.execute(text(statement), bound)
        except OperationalError as error:
            if getattr(error.orig, "pgcode", None) == _CANCELLED:
                raise _TooSlow from error
            raise


class _Work:
    """One pass over the tables. The size of a batch depends on how long the previous batch took."""

    def __init__(self, database: Database, failed_seconds: float, go_on: Callable[[], bool]) -> None:
        self._database, self._failed_seconds, self._go_on = database, failed_seconds, go_on
        self._size = _FIRST
        self.removed: dict[str, int] = {}
        self.longest = 0.0

    def by_age(self, rule: _Rule) -> None:
        """Deletes rows that are too old, page by page from the oldest row, until a page ends with a newer row."""
        young = f"{rule.at} >= clock_timestamp() - make_interval(secs => :seconds)"
        page = text(f"SELECT t.id, {young} AS young FROM {rule.table} t WHERE t.id > :after ORDER BY t.id LIMIT :size")  # noqa: S608
        after = 0
        while self._go_on():
            with self._database.transaction() as tx:
                rows = tx.execute(page, {"after": after, "seconds": rule.days * 86400, "size": _PAGE}).all()
            old = [row.id for row in rows if not row.young]
            self._remove(rule, old)
            if not rows or rows[-1].young:
                return
            after = rows[-1].id

    def by_number(self, rule: _Rule, most: int) -> None:
        """Deletes the rows of each app that are older than its newest `most`."""
        page = text(f"""SELECT id FROM {rule.table}
            WHERE app = :app AND id > :after AND id <= :last ORDER BY id LIMIT :size""")  # noqa: S608
        for app, last in self._crowded(rule.table, most):
            after = 0
            while self._go_on():
                with self._database.transaction() as tx:
                    ids = list(tx.scalars(page, {"app": app, "after": after, "last": last, "size": _PAGE}))
                if not ids:
                    break
                self._remove(rule, ids)
                after = ids[-1]

    def spent(self, table: str, delete: str) -> None:
        """Deletes outdated rows of a table that has no ids of its own, such as idempotency keys that are a day old."""
        gone: int | None = 1
        while gone != 0 and self._go_on():
            gone = self._quickly(table, lambda batch: batch.run(delete, size=self._size).rowcount)

    def _crowded(self, table: str, most: int) -> list[tuple[str, int]]:
        """Returns the apps with more than `most` rows, each with the newest id that may be deleted."""
        crowded = []
        with self._database.transaction() as tx:
            for app in list(tx.scalars(text(_APPS.format(table=table)))):
                last = tx.scalar(text(_NTH.format(table=table)), {"app": app, "most": most})
                crowded += [(app, int(last))] if last is not None else []
        return crowded

    def _remove(self, rule: _Rule, ids: list[int]) -> None:
        """Deletes these rows and everything that belongs to them, except the rows that the rule keeps."""
        while ids and self._go_on():
            part = ids[: self._size]
            if self._quickly(rule.table, lambda batch, part=part: self._delete(batch, rule, part)) is not None:  # type: ignore[misc]
                ids = ids[len(part) :]

    def _delete(self, batch: _RetentionBatch, rule: _Rule, ids: list[int]) -> int:
        held = {"failed_seconds": self._failed_seconds} if ":failed_seconds" in rule.stays else {}
        loose = f"SELECT r.id FROM {rule.table} r WHERE r.id = ANY(:ids) AND NOT {rule.stays} FOR UPDATE SKIP LOCKED"  # noqa: S608
        going = list(batch.run(loose, ids=ids, **held).scalars())
        for statement in (*rule.also, f"DELETE FROM {rule.table} WHERE id = ANY(:ids)"):  # noqa: S608
            if going:
                batch.run(statement, ids=going)
        return len(going)

    def _quickly(self, table: str, delete: Callable[[_RetentionBatch], int]) -> int | None:
        """Runs one batch; returns the number of deleted rows, or None if it took too long and must be smaller. A batch
        of a single row that takes too long is given up, and returns 0.
        """
        began = monotonic()
        try:
            with self._database.transaction() as tx:
                gone = delete(_RetentionBatch(tx))
        except _TooSlow:
            alone = self._size == 1
            self._size = max(1, self._size // 2)
            return 0 if alone else None
        took = monotonic() - began
        self.longest = max(self.longest, took)
        self.removed[table] = self.removed.get(table, 0) + gone
        self._size = max(1, self._size // 2) if took > _SLOW else min(_PAGE, self._size * 2)
        return gone
