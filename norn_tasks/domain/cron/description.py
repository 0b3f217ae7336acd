"""Describes occurrences for people: the local time, its UTC offset, and a note if the clocks were changed.

`expression` computes when a schedule is due. This module explains what happens in the two nights of a year in which the
clocks change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from norn_tasks.domain.cron.expression import Schedule, clock_change

_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)
_AHEAD = timedelta(days=366)
"""How far in the future this module searches for a night with a clock change."""
_ODD = ("does not exist that night", "twice that night")
"""Words in the note about an occurrence that a clock change moves or might repeat."""


@dataclass(frozen=True)
class Occurrence:
    """A moment at which a schedule is due: in UTC, in local time, and with the local offset from UTC."""

    at: datetime
    local: str
    offset: str
    note: str = ""


def described(schedule: Schedule, moments: Iterable[datetime], start: datetime) -> Iterator[Occurrence]:
    """Yields a description of each moment; the moments are in UTC, ascending and after `start`."""
    zone, before = ZoneInfo(schedule.timezone), start
    for moment in moments:
        wall = moment.astimezone(zone)
        written = wall.isoformat(" ", "seconds")
        yield Occurrence(moment, written[:19], written[19:25], _note(schedule, zone, before, moment))
        before = moment


def next_odd_night(schedule: Schedule, start: datetime) -> tuple[Occurrence, ...]:
    """Returns the occurrences that a clock change moves or might repeat, in the first such night after `start`.

    Only a schedule with fixed times has such occurrences. The result is empty if there are none within a year.
    """
    zone, begin, end = ZoneInfo(schedule.timezone), start, start + _AHEAD
    while schedule.fixed and (change := clock_change(zone, begin, end)) is not None:
        before = change - _DAY
        near = described(schedule, schedule.between(before, change + _DAY), before)
        odd = tuple(each for each in near if any(part in each.note for part in _ODD))
        if odd:
            return odd
        begin = change
    return ()


def _note(schedule: Schedule, zone: ZoneInfo, before: datetime, moment: datetime) -> str:
    wall = moment.astimezone(zone)
    if wall.replace(fold=0).utcoffset() != wall.replace(fold=1).utcoffset():
        which = (
            "the schedule is due once, the first time"
            if schedule.fixed
            else f"this is the {('first', 'second')[wall.fold]} time"
        )
        return f"the clock shows {wall:%H:%M} twice that night: {which}"
    if wall.utcoffset() == before.astimezone(zone).utcoffset():
        return ""
    change = clock_change(zone, before, moment)
    if change is None:
        return ""
    old, new = _walls(zone, change)
    if new > old and moment == change and schedule.fixed:
        skipped = schedule.fixed_walls(old, new)
        if skipped:
            together = _at_once(skipped, new if schedule.shows(new) else None)
            return f"{old:%H:%M} to {new:%H:%M} does not exist that night: {together}"
    return f"the clocks went {'forward' if new > old else 'back'} on {old:%Y-%m-%d}, from {old:%H:%M} to {new:%H:%M}"


def _at_once(skipped: int, also_at: datetime | None) -> str:
    """Returns words for the one run that replaces all fixed times in the skipped hour, and the fixed time `also_at`
    directly after it, if there is one.
    """
    if also_at is not None:
        return f"the schedule's times in that hour and at {also_at:%H:%M} become one run"
    if skipped == 1:
        return "the schedule is due once, right after that"
    return f"the schedule's {skipped} times in that hour become one run, right after it"


def _walls(zone: ZoneInfo, change: datetime) -> tuple[datetime, datetime]:
    """Returns the local time of a clock change in two ways: with the old UTC offset and with the new one."""
    old = (change - _MINUTE).astimezone(zone).replace(tzinfo=None) + _MINUTE
    return old, change.astimezone(zone).replace(tzinfo=None)
