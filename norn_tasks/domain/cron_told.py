"""Occurrences as people read them: the wall clock's time, its offset, and a word where the clocks were changed.

The calendar (`domain.cron`) says when a schedule comes; this says why it looks odd on the two nights of the year.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from norn_tasks.domain.cron import Schedule, clock_change

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Occurrence:
    """A moment at which a schedule comes: in UTC, on the wall of its zone, with that wall's offset from UTC."""

    at: datetime
    local: str
    offset: str
    note: str = ""


def told(schedule: Schedule, moments: Iterable[datetime], start: datetime) -> Iterator[Occurrence]:
    """Yield moments (in UTC, rising, after `start`) as people read them."""
    zone, before = ZoneInfo(schedule.timezone), start
    for moment in moments:
        wall = moment.astimezone(zone)
        written = wall.isoformat(" ", "seconds")
        yield Occurrence(moment, written[:19], written[19:25], _note(schedule, zone, before, moment))
        before = moment


def _note(schedule: Schedule, zone: ZoneInfo, before: datetime, moment: datetime) -> str:
    wall = moment.astimezone(zone)
    if wall.replace(fold=0).utcoffset() != wall.replace(fold=1).utcoffset():
        which = (
            "it comes once, the first time" if schedule.fixed else f"this is the {('first', 'second')[wall.fold]} time"
        )
        return f"the clock shows {wall:%H:%M} twice that night: {which}"
    if wall.utcoffset() == before.astimezone(zone).utcoffset():
        return ""
    change = clock_change(zone, before, moment)
    if change is None:
        return ""
    old, new = _walls(zone, change)
    if new > old and moment == change and not schedule.shows(new):
        return f"{old:%H:%M} to {new:%H:%M} does not exist that night: it comes once, right after"
    return f"the clocks went {'forward' if new > old else 'back'} on {old:%Y-%m-%d}, from {old:%H:%M} to {new:%H:%M}"


def _walls(zone: ZoneInfo, change: datetime) -> tuple[datetime, datetime]:
    """Answer what the wall showed when the clocks were changed: by the old offset, and by the new one."""
    old = (change - _MINUTE).astimezone(zone).replace(tzinfo=None) + _MINUTE
    return old, change.astimezone(zone).replace(tzinfo=None)
