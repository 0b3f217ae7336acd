"""Gaps: occurrences that were not decided because of an outage, or that a pause skips. They are counted when nothing is
due.

A gap contains a copy of the schedule, so that a change of the schedule need not wait for the counting. Each call of
`settle` is a turn, which counts a limited number of gaps and occurrences, and adds them to the ticks of their ranges.
So occurrences that are due now never have to wait for the counting.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any

from sqlalchemy import delete, insert, text

from norn_tasks.domain.cron.expression import Schedule, parse_schedule
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.schedule import CATCH_UP_MOST, Due, RunTrigger, Verdict, newest_of
from norn_tasks.store.cron import effective, occurrences
from norn_tasks.store.cron.occurrences import SkippedOccurrence, Started, columns, table
from norn_tasks.store.database.session import EVENTS, Row, Tx
from norn_tasks.store.events.publishing import notify
from norn_tasks.store.tables import CronGapRow

AT_ONCE = 250
"""The most gaps that one transaction processes."""
MOST = 2000
"""The most occurrences of one gap that one transaction counts."""
PACE = 0.2
"""Seconds of counting after which the rest is left for the next transaction."""
_TICK = timedelta(microseconds=1)

Gap = dict[str, Any]


@dataclass(frozen=True)
class Stretch:
    """Successive occurrences: the first, the last, and how many; `complete` is True if the gap has no others."""

    first: datetime
    last: datetime
    how_many: int
    complete: bool

    @property
    def until(self) -> datetime | None:
        """The last occurrence of a range; None for a single occurrence."""
        return self.last if self.how_many > 1 else None


@dataclass(frozen=True)
class GapProgress:
    """The result of a turn: how many gaps were processed and runs accepted."""

    looked: int
    started: int


@dataclass
class _Turn:
    """The rows to write in one turn."""

    started: list[Started] = field(default_factory=list)
    counted: list[tuple[Mapping[Any, Any], datetime, Stretch]] = field(default_factory=list)
    done: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class _Widened:
    tick: int
    until: datetime
    how_many: int


def of(row: Row, schedule: Schedule, before: datetime, verdict: Verdict, reason: str, **more: Any) -> Gap:
    """Returns the gap of a schedule (`row`): the time after its last decided occurrence and before `before`. `more`
    replaces columns of the gap.
    """
    return {
        "app": row["app"], "schedule": schedule.text, "timezone": schedule.timezone, "anchor": row["anchor"],
        "after": row["decided_until"], "before": before, "verdict": str(verdict), "reason": reason,
        "catches_up": False, "tick": None,
    } | more  # fmt: skip


def add(tx: Tx, found: Sequence[Gap], decider: str) -> None:
    """Writes the rows of new gaps."""
    if found:
        tx.execute(insert(CronGapRow), [gap | {"decided_by": decider} for gap in found])


# Occurrences that a pause skips

_SKIP = ("app", "scheduled_for", "reason", "actor")
_SKIPPING = text(f"""
WITH tick AS (
  INSERT INTO cron_ticks(app, scheduled_for, verdict, reason, actor, open, decided_by)
  SELECT app, scheduled_for, 'skipped_paused', reason, actor, true, :decider FROM {table(*_SKIP)}
   WHERE NOT EXISTS (SELECT 1 FROM cron_ticks k
                      WHERE k.app = given.app AND k.scheduled_for = given.scheduled_for AND NOT k.open)
  ON CONFLICT (app) WHERE open DO UPDATE SET until = excluded.scheduled_for, how_many = cron_ticks.how_many + 1
  RETURNING id, app, scheduled_for, verdict, xmax = 0 AS new),
announced AS (
  INSERT INTO events(kind, app, data)
  SELECT 'tick.decided', app, jsonb_build_object('scheduled_for', scheduled_for, 'verdict', verdict) FROM tick
   WHERE new)
SELECT id, app FROM tick""")  # noqa: S608 - built from constants


@dataclass(frozen=True)
class _Skipped:
    app: str
    scheduled_for: datetime
    reason: str
    actor: str


def skip(tx: Tx, paused: Sequence[tuple[Row, Due]], decider: str) -> list[Gap]:
    """Adds the oldest due occurrence of each paused schedule to the open range of its pause, or opens a range with it.

    Returns gaps for the other due occurrences, which will be counted into the same range.
    """
    if not paused:
        return []
    batch = [_Skipped(row["app"], have.first, _pause(row), row["paused_by"] or "") for row, have in paused]
    ticks = {row.app: row.id for row in tx.execute(_SKIPPING, columns(batch, *_SKIP) | {"decider": decider})}
    return [
        of(row, effective.effective(row), have.following, Verdict.SKIPPED_PAUSED, _pause(row), after=have.first,
           tick=ticks.get(row["app"]))
        for row, have in paused if not have.alone
    ]  # fmt: skip


def _pause(row: Row) -> str:
    return f"paused by {row['paused_by']}" + (f": {row['paused_reason']}" if row["paused_reason"] else "")


# Counting gaps

_OPEN = text(f"""
SELECT g.*, s.next_due IS NOT NULL AND s.paused_at IS NULL AS runs, s.catchup, s.concurrency, s.start_deadline, s.jitter
  FROM cron_gaps g LEFT JOIN cron_states s ON s.app = g.app
 ORDER BY g.id LIMIT {AT_ONCE} FOR UPDATE OF g SKIP LOCKED""")  # noqa: S608 - built from constants


def settle(tx: Tx, decider: str) -> GapProgress:
    """Processes the oldest gaps for one turn: starts the runs that the catch-up policy allows, and counts the
    others.
    """
    began, now, turn = time.monotonic(), effective.clock(tx), _Turn()
    rows = list(tx.execute(_OPEN).mappings())
    for row in rows:
        _count(turn, row, now)
        if time.monotonic() - began > PACE:
            break
    started = occurrences.start(tx, turn.started, decider)
    _write(tx, turn, decider)
    if rows:
        notify(tx, EVENTS)
    return GapProgress(len(rows), started)


def _count(turn: _Turn, row: Row, now: datetime) -> None:
    try:
        schedule, before = parse_schedule(row["schedule"], row["timezone"]), row["before"]
    except InvalidRequest as error:
        _give_up(turn, row, error)
        return
    if row["catches_up"] and row["runs"]:
        caught_up = list(_caught_up(row, schedule, now))
        turn.started += caught_up
        before = caught_up[0].scheduled_for if caught_up else before
    # A schedule of five fields does not depend on its anchor. It gets the gap's beginning as its anchor, so that
    # `_stretch` counts equal gaps only once.
    anchor = row["after"] if schedule.period is None else row["anchor"]
    stretch = _stretch(schedule, anchor, row["after"], before, MOST)
    if stretch is None or stretch.complete:
        turn.done.append(row["id"])
    if stretch is not None:
        turn.counted.append((row, before, stretch))


def _give_up(turn: _Turn, row: Row, error: InvalidRequest) -> None:
    """Records a gap with a schedule that can no longer be read: it becomes one row, which contains the error."""
    at = row["before"] - _TICK
    uncounted = dict(row) | {"reason": f"{row['reason']}; how often it was due is not known: {error.sentence}"}
    turn.done.append(row["id"])
    turn.counted.append((uncounted, row["before"], Stretch(at, at, 1, complete=True)))


def _caught_up(row: Row, schedule: Schedule, now: datetime) -> Iterator[Started]:
    """Looks at the newest occurrences of a gap, at most CATCH_UP_MOST; yields the ones that may still run, oldest
    first.
    """
    policy = effective.policy_of(row)
    for moment in newest_of(schedule, row["after"], row["before"] - _TICK, row["anchor"], CATCH_UP_MOST):
        if policy.may_still_run(moment, now):
            until = effective.deadline(policy, moment, moment, now)
            yield Started(row["app"], moment, Verdict.CAUGHT_UP, "", RunTrigger.CATCHUP, moment, until)


@lru_cache(maxsize=4096)
def _stretch(schedule: Schedule, anchor: datetime, after: datetime, before: datetime, most: int) -> Stretch | None:
    """Counts at most `most` occurrences between two times; for equal schedules with equal gaps, it counts only once."""
    found = list(islice(schedule.between(after, before - _TICK, anchor), most + 1))
    if not found:
        return None
    kept = found[:most]
    return Stretch(kept[0], kept[-1], len(kept), len(kept) == len(found))


_WIDEN = text(f"""
UPDATE cron_ticks k SET until = greatest(k.until, given.until), how_many = k.how_many + given.how_many
  FROM {table("tick", "until", "how_many")} WHERE k.id = given.tick""")  # noqa: S608 - built from constants

_GO_ON = text("""
UPDATE cron_gaps SET after = :after, before = :before, catches_up = false, tick = :tick WHERE id = :id""")


def _write(tx: Tx, turn: _Turn, decider: str) -> None:
    new = [
        SkippedOccurrence(row["app"], s.first, Verdict(row["verdict"]), row["reason"], s.until, s.how_many)
        for row, _, s in turn.counted if row["tick"] is None
    ]  # fmt: skip
    ticks = occurrences.skip(tx, new, decider)
    wider = [_Widened(row["tick"], s.last, s.how_many) for row, _, s in turn.counted if row["tick"] is not None]
    if wider:
        tx.execute(_WIDEN, columns(wider, "tick", "until", "how_many"))
    for row, before, stretch in turn.counted:
        if not stretch.complete:
            tick = row["tick"] or ticks.get((row["app"], stretch.first))
            tx.execute(_GO_ON, {"after": stretch.last, "before": before, "tick": tick, "id": row["id"]})
    if turn.done:
        tx.execute(delete(CronGapRow).where(CronGapRow.id.in_(turn.done)))
