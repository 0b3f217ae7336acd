"""Decides occurrences: each gets one row with one verdict and, if it runs, a job in the same transaction.

`decide()` takes a batch of schedules that the caller has locked: the scheduler locks the due schedules, and a change of
a schedule locks that schedule. For each schedule it decides the newest occurrence, which may be due this very second.
Earlier occurrences, which were not decided because of an outage, become a gap (`store.cron.gaps`). Gaps are counted
when nothing is due.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select, text

from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.infraspec.words import Catchup, Concurrency
from norn_tasks.domain.jobs.job import JobClass, JobState, Problem
from norn_tasks.domain.schedule import (
    CATCH_UP_MOST,
    NOBODY_DECIDED,
    Due,
    Policy,
    RunTrigger,
    Verdict,
    due,
    held_back,
)
from norn_tasks.store.alerts import cron_rules
from norn_tasks.store.cron import effective, gaps, occurrences, overlap
from norn_tasks.store.cron.gaps import Gap
from norn_tasks.store.cron.occurrences import SkippedOccurrence, Started
from norn_tasks.store.cron.overlap import Busy
from norn_tasks.store.database.prepared import Prepared, run
from norn_tasks.store.database.session import EVENTS, Row, Tx
from norn_tasks.store.events.publishing import notify
from norn_tasks.store.queue import endings
from norn_tasks.store.queue.wanted_ends import SCHEDULE
from norn_tasks.store.tables import CronStateRow

REPLACED = "the next occurrence took its place while the previous run was being stopped"
NOBODY_BEGAN = "no worker was free to begin it before the next was due"


@dataclass(frozen=True)
class Decided:
    """The result of a round: how many schedules were checked and runs accepted, and how late the latest decision was,
    in seconds.
    """

    looked: int = 0
    started: int = 0
    lag: float = 0.0


@dataclass
class _DecisionBatch:
    """The rows to write for a batch of schedules."""

    started: list[Started] = field(default_factory=list)
    skipped: list[SkippedOccurrence] = field(default_factory=list)
    paused: list[tuple[Row, Due]] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    replaced: list[Row] = field(default_factory=list)


def due_rows(tx: Tx, limit: int) -> list[Row]:
    """Locks and returns schedules that are due, oldest first; skips schedules that another scheduler has locked."""
    rows = tx.execute(
        select(CronStateRow)
        .where(CronStateRow.next_due <= text("clock_timestamp()"))
        .order_by(CronStateRow.next_due)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(rows.mappings())


@dataclass(frozen=True)
class Ahead:
    """The work that lies ahead of a scheduler at the moment `now` of the database's clock.

    `open`: a schedule is due, or the occurrences of a gap are not all counted yet. `seconds`: until a schedule is due
    (negative: late) or delayed work may begin; None for neither.
    """

    now: datetime
    open: bool
    seconds: float | None


_AHEAD = Prepared("""
SELECT clock_timestamp() AS now, coalesce(min(next_due) <= clock_timestamp(), false)
       OR EXISTS (SELECT FROM cron_gaps) AS open,
       extract(epoch FROM min(next_due) - clock_timestamp())::float8 AS due,
       (SELECT extract(epoch FROM min(run_after) - clock_timestamp())::float8 FROM jobs
         WHERE state = 'queued' AND run_after > created_at AND run_after > clock_timestamp()) AS later
  FROM cron_states""")


def ahead(tx: Tx) -> Ahead:
    """Returns the work that lies ahead; the scheduler asks for it every second, so it is one prepared statement."""
    row = run(tx, _AHEAD, {}).one()
    return Ahead(row.now, row.open, min((float(s) for s in (row.due, row.later) if s is not None), default=None))


def limit_idle_transaction(tx: Tx) -> None:
    """Makes PostgreSQL abort this transaction if it is idle for 5 s, so that a frozen scheduler releases its locked
    rows.
    """
    tx.execute(text("SET LOCAL idle_in_transaction_session_timeout = '5s'"))


def decide(tx: Tx, rows: Sequence[Row], now: datetime, decider: str) -> Decided:
    """Decides the occurrences of these schedules (locked rows) that are due by `now`.

    `now` is the time of the database's clock after the rows were locked.
    """
    counting = [row for row in rows if row["next_due"] is not None]
    found, unreadable = _due(counting, now)
    _put_off(tx, unreadable)
    rows = [row for row in counting if row["app"] in found]
    batch = _DecisionBatch()
    live = [(row, have) for row in rows if (have := found[row["app"]]) is not None and row["paused_at"] is None]
    batch.paused = [(row, have) for row in rows if (have := found[row["app"]]) is not None and row["paused_at"]]
    busy = overlap.of(tx, [row["app"] for row, _ in live]) if live else {}
    for row, have in live:
        _judge(tx, batch, row, have, busy[row["app"]], now)
    started = _write(tx, batch, decider)
    _advance(tx, rows, found, now)
    late = [(now - have.newest).total_seconds() for have in found.values() if have is not None]
    return Decided(len(rows), started, max(late, default=0.0))


def _due(rows: Sequence[Row], now: datetime) -> tuple[dict[str, Due | None], dict[str, InvalidRequest]]:
    """Returns, by app, the due occurrences, and the errors of schedules that can no longer be read."""
    found: dict[str, Due | None] = {}
    unreadable: dict[str, InvalidRequest] = {}
    for row in rows:
        try:
            found[row["app"]] = due(effective.effective(row), row["decided_until"], now, row["anchor"])
        except InvalidRequest as error:
            unreadable[row["app"]] = error
    return found, unreadable


_PUT_OFF = text("UPDATE cron_states SET next_due = clock_timestamp() + interval '1 min' WHERE app = ANY(:apps)")


def _put_off(tx: Tx, unreadable: Mapping[str, InvalidRequest]) -> None:
    """Keeps an unreadable schedule from delaying others: it is retried every minute, and an alert reports it."""
    if unreadable:
        tx.execute(_PUT_OFF, {"apps": list(unreadable)})
        cron_rules.unreadable(tx, unreadable)


def _judge(tx: Tx, batch: _DecisionBatch, row: Row, have: Due, busy: Busy, now: datetime) -> None:
    """Decides a schedule's newest due occurrence, and makes the earlier ones part of a gap.

    If the newest occurrence is too late to run, it becomes part of the gap too.
    """
    policy = effective.policy_of(row)
    on_time = now - have.newest <= policy.window
    catches_up = policy.catchup is Catchup.ALL
    runs = on_time or (policy.catchup is Catchup.LAST and policy.may_still_run(have.newest, now))
    if not runs or not have.alone:
        before = have.newest if runs else have.following
        schedule = effective.effective(row)
        batch.gaps.append(gaps.of(row, schedule, before, Verdict.MISSED, NOBODY_DECIDED, catches_up=catches_up))
    if runs:
        _run_or_skip(tx, batch, row, have, busy, now, late=not on_time)


def _run_or_skip(tx: Tx, batch: _DecisionBatch, row: Row, have: Due, busy: Busy, now: datetime, *, late: bool) -> None:
    policy = effective.policy_of(row)
    takes = _place(policy, busy)
    if takes is None:
        batch.skipped.append(SkippedOccurrence(row["app"], have.newest, Verdict.SKIPPED_OVERLAP, busy.sentence()))
        return
    if policy.concurrency is Concurrency.REPLACE:
        batch.replaced += busy.active
    if policy.catchup is Catchup.ALL and len(busy.waiting) >= CATCH_UP_MOST:
        endings.end(tx, busy.waiting[0], JobState.EXPIRED, Problem("expired", NOBODY_BEGAN, "norn worker list"))
    planned = have.newest + held_back(row["app"], have.newest, have.following, policy.jitter)
    verdict, trigger = (Verdict.CAUGHT_UP, RunTrigger.CATCHUP) if late else (Verdict.FIRED, RunTrigger.SCHEDULE)
    until = effective.deadline(policy, planned, have.following, now)
    stopping = policy.concurrency is Concurrency.REPLACE and busy.active
    left = (Verdict.SKIPPED_OVERLAP, REPLACED) if stopping else (Verdict.MISSED, NOBODY_BEGAN)
    job = takes[0] if takes else None
    batch.started.append(Started(row["app"], have.newest, verdict, "", trigger, planned, until, job, *left))


def _place(policy: Policy, busy: Busy) -> tuple[int, ...] | None:
    """Returns () if the occurrence gets a new run, (job,) if a waiting run is used, None if it does not run.

    A run that had not begun when the next occurrence became due is used for that occurrence. With a `startDeadline` or
    `catchup: all`, the run keeps its own occurrence.
    """
    alone = policy.concurrency in (Concurrency.FORBID, Concurrency.QUEUE)
    keeps = policy.start_deadline is not None or policy.catchup is Catchup.ALL
    moves = (int(busy.waiting[0]["id"]),) if busy.waiting else ()
    if policy.concurrency is Concurrency.REPLACE and busy.active:
        return moves
    if policy.concurrency is Concurrency.FORBID and (busy.active or busy.manual):
        return None
    if policy.concurrency is Concurrency.QUEUE and busy.active:
        return None if busy.waiting or busy.manual else ()
    if not keeps:
        return moves
    return None if alone and busy.waiting and policy.catchup is not Catchup.ALL else ()


def _write(tx: Tx, batch: _DecisionBatch, decider: str) -> int:
    for replaced in batch.replaced:
        endings.request_cancel(tx, replaced, SCHEDULE)
    started = occurrences.start(tx, batch.started, decider)
    occurrences.skip(tx, batch.skipped, decider)
    gaps.add(tx, batch.gaps + gaps.skip(tx, batch.paused, decider), decider)
    if batch.started or batch.skipped or batch.paused:
        notify(tx, EVENTS)
    return started


_ADVANCE = text("""
UPDATE cron_states s SET decided_until = d.until, next_due = d.due
  FROM unnest(CAST(:apps AS text[]), CAST(:until AS timestamptz[]), CAST(:due AS timestamptz[])) AS d(app, until, due)
 WHERE s.app = d.app""")


def _advance(tx: Tx, rows: Sequence[Row], found: dict[str, Due | None], now: datetime) -> None:
    if not rows:
        return
    until, following = [], []
    for row in rows:
        have = found[row["app"]]
        until.append(row["decided_until"] if have is None else have.newest)
        following.append(effective.effective(row).next_after(now, row["anchor"]) if have is None else have.following)
    tx.execute(_ADVANCE, {"apps": [row["app"] for row in rows], "until": until, "due": following})


_RIPE = Prepared("""
SELECT class, count(*) AS ripe FROM jobs
 WHERE state = 'queued' AND run_after > created_at AND run_after > CAST(:after AS timestamptz)
   AND run_after <= CAST(:until AS timestamptz)
   AND cancel_requested_at IS NULL GROUP BY class""")


def runnable(tx: Tx, after: datetime, until: datetime) -> dict[JobClass, int]:
    """Counts, by class, the jobs whose delay (jitter, or the pause before a retry) ended from `after` to `until`."""
    return {JobClass(row[0]): row.ripe for row in run(tx, _RIPE, {"after": after, "until": until})}
