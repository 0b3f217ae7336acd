"""Deciding occurrences: each gets one row with one verdict, and a fired one its job, in one transaction.

`decide()` is called by beat for what is due, and by every change of a schedule for what was due under the old one.
The caller holds the schedule's row; the unique `(app, scheduled_for)` is a net under that, never the flow.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert

from norn_tasks.domain.cron import Schedule, parse_schedule
from norn_tasks.domain.event import EventKind
from norn_tasks.domain.schedule import Trigger, Verdict
from norn_tasks.store import releases, runs
from norn_tasks.store.facts import tell
from norn_tasks.store.session import Row, Tx
from norn_tasks.store.tables import CronState, CronTick

ON_TIME = 60.0
"""Seconds after which a run that starts late is told as caught up, and subject to the app's `catchup`."""


def effective(row: Row) -> Schedule:
    """Answers the schedule that counts: the override's, else the spec's."""
    if row["override_schedule"] is not None:
        return parse_schedule(row["override_schedule"], row["override_timezone"] or row["timezone"])
    return parse_schedule(row["schedule"], row["timezone"])


@dataclass(frozen=True)
class _Due:
    """What came due: the newest occurrence, and those before it that nobody decided in time."""

    newest: datetime
    late: float
    first_older: datetime | None
    last_older: datetime | None
    older: int


def _due(schedule: Schedule, row: Row, now: datetime) -> _Due | None:
    newest, first, last, older = None, None, None, 0
    moment = schedule.next_after(row["decided_until"], row["anchor"])
    while moment <= now:
        if newest is not None:
            first, last, older = first or newest, newest, older + 1
        newest = moment
        moment = schedule.next_after(moment, row["anchor"])
    return None if newest is None else _Due(newest, (now - newest).total_seconds(), first, last, older)


def decide(tx: Tx, row: Row, decider: str) -> bool:
    """Decides everything of this schedule that is due by now; True when a run was accepted."""
    if row["next_due"] is None:
        return False
    now = tx.scalar(select(text("clock_timestamp()")))
    assert isinstance(now, datetime)
    schedule = effective(row)
    due = _due(schedule, row, now)
    fired = False
    if due is not None:
        if row["paused_at"] is not None:
            _skip_paused(tx, row, due, decider)
        else:
            _miss_older(tx, row, due, decider)
            fired = _decide_newest(tx, row, due, decider)
    after = {"next_due": schedule.next_after(now, row["anchor"])}
    if due is not None:
        after["decided_until"] = due.newest
    tx.execute(update(CronState).where(CronState.app == row["app"]).values(after))
    return fired


def _tick(tx: Tx, row: Row, moment: datetime, verdict: Verdict, decider: str, **more: Any) -> int | None:
    """Writes the occurrence's row; None when it has one already."""
    values = {"app": row["app"], "scheduled_for": moment, "verdict": str(verdict), "decided_by": decider, **more}
    written = tx.execute(insert(CronTick).values(values).on_conflict_do_nothing().returning(CronTick.id))
    tick = written.scalar_one_or_none()
    if tick is not None:
        tell(tx, EventKind.TICK_DECIDED, app=row["app"], scheduled_for=moment.isoformat(), verdict=str(verdict))
    return tick


def _miss_older(tx: Tx, row: Row, due: _Due, decider: str) -> None:
    """One row tells of all that passed while nobody decided."""
    if due.first_older is None:
        return
    reason = "no scheduler was running when it was due"
    more: dict[str, Any] = {"reason": reason, "how_many": due.older}
    if due.older > 1:
        more["until"] = due.last_older
    _tick(tx, row, due.first_older, Verdict.MISSED, decider, **more)


def _skip_paused(tx: Tx, row: Row, due: _Due, decider: str) -> None:
    """One open range row a pause tells of everything it skipped; resume, edit or removal closes it."""
    count = due.older + 1
    widened = tx.execute(
        update(CronTick)
        .where(CronTick.app == row["app"], CronTick.open)
        .values(until=due.newest, how_many=CronTick.how_many + count)
    )
    if widened.rowcount == 0:
        reason = f"paused by {row['paused_by']}" + (f": {row['paused_reason']}" if row["paused_reason"] else "")
        more: dict[str, Any] = {"reason": reason, "how_many": count, "open": True}
        if due.first_older is not None:
            more["until"] = due.newest
        _tick(tx, row, due.first_older or due.newest, Verdict.SKIPPED_PAUSED, decider, **more)


def _decide_newest(tx: Tx, row: Row, due: _Due, decider: str) -> bool:
    release = releases.live(tx, row["app"])
    if release is None:
        return False
    late = due.late > ON_TIME
    if late and release["spec"].get("catchup", "last") == "none":
        _tick(tx, row, due.newest, Verdict.MISSED, decider, reason="no scheduler was running when it was due")
        return False
    if row["concurrent"] == 1 and runs.cron_is_running(tx, row["app"]):
        _tick(tx, row, due.newest, Verdict.SKIPPED_OVERLAP, decider, reason="the run before it had not ended")
        return False
    tick = _tick(tx, row, due.newest, Verdict.CAUGHT_UP if late else Verdict.FIRED, decider)
    if tick is None:
        return False
    run = runs.accept_cron_run(
        tx, release, trigger=Trigger.CATCHUP if late else Trigger.SCHEDULE, scheduled_for=due.newest, actor="schedule",
        patience=PATIENCE,
    )  # fmt: skip
    tx.execute(update(CronTick).where(CronTick.id == tick).values(job_id=run.job, execution=run.execution))
    return True


PATIENCE = 3600.0
"""Seconds a fired run may wait for a worker before it is `expired`."""


def due_apps(tx: Tx, limit: int) -> list[Row]:
    """Locks and answers schedules that are due, oldest first; those that another beat holds are left to it."""
    rows = tx.execute(
        select(CronState)
        .where(CronState.next_due <= text("clock_timestamp()"))
        .order_by(CronState.next_due)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(rows.mappings())


def seconds_to_next(tx: Tx) -> float | None:
    """Answers how far away the next due moment is (negative: how late we are); None without any schedule."""
    away = tx.scalar(text("SELECT extract(epoch FROM min(next_due) - clock_timestamp())::float8 FROM cron_states"))
    return None if away is None else float(away)
