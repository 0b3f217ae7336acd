"""Gaps: what an outage left undecided of a schedule, and what a pause has to count, told when nothing else is due.

A gap carries the schedule as it was, so that an edit need not wait for the counting. Each turn takes some gaps and of
each at most so many occurrences: the range row grows turn by turn, and no live tick waits for it.
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

from norn_tasks.domain.cron import Schedule, parse_schedule
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.schedule import CATCH_UP_MOST, Due, Trigger, Verdict, newest_of
from norn_tasks.store import occurrences, plans
from norn_tasks.store.facts import notify
from norn_tasks.store.occurrences import Started, Told, columns, table
from norn_tasks.store.session import EVENTS, Row, Tx
from norn_tasks.store.tables import CronGap

AT_ONCE = 250
"""Gaps looked at in one transaction."""
MOST = 2000
"""Occurrences counted of one gap in one transaction."""
PACE = 0.2
"""Seconds of counting after which the rest is left to the next transaction."""
_TICK = timedelta(microseconds=1)

Gap = dict[str, Any]


@dataclass(frozen=True)
class Stretch:
    """Occurrences that follow each other: the first, the last, how many, and whether that was all."""

    first: datetime
    last: datetime
    how_many: int
    complete: bool

    @property
    def until(self) -> datetime | None:
        """The end of the range that it is; None when it is one occurrence."""
        return self.last if self.how_many > 1 else None


@dataclass(frozen=True)
class Settled:
    """What a turn came to: gaps looked at, and runs accepted."""

    looked: int
    started: int


@dataclass
class _Turn:
    """What is to be written in one turn."""

    started: list[Started] = field(default_factory=list)
    counted: list[tuple[Mapping[Any, Any], datetime, Stretch]] = field(default_factory=list)
    done: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class _Widened:
    tick: int
    until: datetime
    how_many: int


def of(row: Row, schedule: Schedule, before: datetime, verdict: Verdict, reason: str, **more: Any) -> Gap:
    """Answers the gap of a schedule's row: what came since the last decision, and before `before`."""
    return {
        "app": row["app"], "schedule": schedule.text, "timezone": schedule.timezone, "anchor": row["anchor"],
        "after": row["decided_until"], "before": before, "verdict": str(verdict), "reason": reason,
        "catches_up": False, "tick": None,
    } | more  # fmt: skip


def add(tx: Tx, found: Sequence[Gap], decider: str) -> None:
    """Writes gaps down."""
    if found:
        tx.execute(insert(CronGap), [gap | {"decided_by": decider} for gap in found])


# What a pause skips

_SKIP = ("app", "scheduled_for", "reason", "actor")
_SKIPPING = text(f"""
WITH tick AS (
  INSERT INTO cron_ticks(app, scheduled_for, verdict, reason, actor, open, decided_by)
  SELECT app, scheduled_for, 'skipped_paused', reason, actor, true, :decider FROM {table(*_SKIP)}
   WHERE NOT EXISTS (SELECT 1 FROM cron_ticks k
                      WHERE k.app = given.app AND k.scheduled_for = given.scheduled_for AND NOT k.open)
  ON CONFLICT (app) WHERE open DO UPDATE SET until = excluded.scheduled_for, how_many = cron_ticks.how_many + 1
  RETURNING id, app, scheduled_for, verdict, xmax = 0 AS new),
told AS (
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
    """Adds the oldest due occurrence of each paused schedule to its one open range, which begins with it if need be.

    Answers gaps for what more is due: they are counted into the same range.
    """
    if not paused:
        return []
    batch = [_Skipped(row["app"], have.first, _pause(row), row["paused_by"] or "") for row, have in paused]
    ticks = {row.app: row.id for row in tx.execute(_SKIPPING, columns(batch, *_SKIP) | {"decider": decider})}
    return [
        of(row, plans.effective(row), have.following, Verdict.SKIPPED_PAUSED, _pause(row), after=have.first,
           tick=ticks.get(row["app"]))
        for row, have in paused if not have.alone
    ]  # fmt: skip


def _pause(row: Row) -> str:
    return f"paused by {row['paused_by']}" + (f": {row['paused_reason']}" if row["paused_reason"] else "")


# Settling

_OPEN = text(f"""
SELECT g.*, s.next_due IS NOT NULL AND s.paused_at IS NULL AS runs, s.catchup, s.concurrency, s.start_deadline, s.jitter
  FROM cron_gaps g LEFT JOIN cron_states s ON s.app = g.app
 ORDER BY g.id LIMIT {AT_ONCE} FOR UPDATE OF g SKIP LOCKED""")  # noqa: S608 - built from constants


def settle(tx: Tx, decider: str) -> Settled:
    """Takes the oldest gaps one turn further: starts what the catch-up policy still runs, and counts the rest."""
    began, now, turn = time.monotonic(), plans.clock(tx), _Turn()
    rows = list(tx.execute(_OPEN).mappings())
    for row in rows:
        _count(turn, row, now)
        if time.monotonic() - began > PACE:
            break
    started = occurrences.start(tx, turn.started, decider)
    _write(tx, turn, decider)
    if rows:
        notify(tx, EVENTS)
    return Settled(len(rows), started)


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
    anchor = row["after"] if schedule.period is None else row["anchor"]  # five fields know none: they share the count
    stretch = _stretch(schedule, anchor, row["after"], before, MOST)
    if stretch is None or stretch.complete:
        turn.done.append(row["id"])
    if stretch is not None:
        turn.counted.append((row, before, stretch))


def _give_up(turn: _Turn, row: Row, error: InvalidRequest) -> None:
    """Tells a gap whose schedule cannot be read any more as one row, which ends with it and says so."""
    at = row["before"] - _TICK
    uncounted = dict(row) | {"reason": f"{row['reason']}; how often it was due is not known: {error.sentence}"}
    turn.done.append(row["id"])
    turn.counted.append((uncounted, row["before"], Stretch(at, at, 1, complete=True)))


def _caught_up(row: Row, schedule: Schedule, now: datetime) -> Iterator[Started]:
    """Yields the newest occurrences of a gap that may still run, oldest first."""
    policy = plans.policy_of(row)
    for moment in newest_of(schedule, row["after"], row["before"] - _TICK, row["anchor"], CATCH_UP_MOST):
        if policy.may_still_run(moment, now):
            until = plans.deadline(policy, moment, moment, now)
            yield Started(row["app"], moment, Verdict.CAUGHT_UP, "", Trigger.CATCHUP, moment, until)


@lru_cache(maxsize=4096)
def _stretch(schedule: Schedule, anchor: datetime, after: datetime, before: datetime, most: int) -> Stretch | None:
    """Counts occurrences between two moments; schedules that are alike after an outage are counted once."""
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
        Told(row["app"], s.first, Verdict(row["verdict"]), row["reason"], s.until, s.how_many)
        for row, _, s in turn.counted if row["tick"] is None
    ]  # fmt: skip
    ticks = occurrences.tell(tx, new, decider)
    wider = [_Widened(row["tick"], s.last, s.how_many) for row, _, s in turn.counted if row["tick"] is not None]
    if wider:
        tx.execute(_WIDEN, columns(wider, "tick", "until", "how_many"))
    for row, before, stretch in turn.counted:
        if not stretch.complete:
            tick = row["tick"] or ticks.get((row["app"], stretch.first))
            tx.execute(_GO_ON, {"after": stretch.last, "before": before, "tick": tick, "id": row["id"]})
    if turn.done:
        tx.execute(delete(CronGap).where(CronGap.id.in_(turn.done)))
