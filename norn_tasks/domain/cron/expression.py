"""Computes when a schedule is due: one parser and one calendar for infraspecs, the API, the CLI and the scheduler.

When the clocks change, schedules behave as in Debian's cron. A schedule has fixed times if neither its minute nor its
hour begins with a star. A fixed time in the skipped hour is due once, immediately after that hour. A fixed time in the
repeated hour is due once, the first time. Any other schedule is due every time that the local time matches. The library
cronsim searches the calendar without a time zone. Zones are applied here, because cronsim loses half an hour where the
clocks change by half an hour (Lord Howe).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from itertools import takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim

from norn_tasks.domain.cron.fields import five_fields
from norn_tasks.domain.cron.zone_hints import zone_hint
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.quantities import parse_duration
from norn_tasks.domain.wording import shown

LONGEST_PERIOD = timedelta(days=366)
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Schedule:
    """An accepted schedule: its text, its time zone, and the five fields or the period that the text means."""

    text: str
    timezone: str
    fields: str
    period: timedelta | None = None

    @property
    def fixed(self) -> bool:
        """True if the schedule names fixed times of day, which a clock change neither skips nor repeats."""
        return bool(self.fields) and _is_fixed(self.fields)

    def next_after(self, moment: datetime, anchor: datetime | None = None) -> datetime:
        """Returns the first occurrence strictly after `moment`, in UTC.

        `@every` counts from `anchor`, or from `moment` without one; its first occurrence is one period later.
        """
        moment = moment.astimezone(UTC)
        if self.period is not None:
            return _next_period(self.period, moment, anchor.astimezone(UTC) if anchor else moment)
        return _next(self.fields, self.timezone, moment)

    def shows(self, wall: datetime) -> bool:
        """Returns True if the five fields match this local time, regardless of the zone; False for `@every`."""
        return bool(self.fields) and _next_wall(self.fields, wall - _SECOND) == wall

    def fixed_walls(self, begin: datetime, end: datetime) -> int:
        """Counts the local times that the five fields match, from `begin` up to but not including `end`."""
        walls = CronSim(self.fields, (begin - _SECOND).replace(tzinfo=None))
        return sum(1 for _ in takewhile(lambda wall: wall < end.replace(tzinfo=None), walls))

    def between(self, start: datetime, end: datetime, anchor: datetime | None = None) -> Iterator[datetime]:
        """Yields every occurrence after `start` up to and including `end`, oldest first; `anchor` as in `next_after`.

        This method searches the calendar once, which is many times faster than repeated calls of `next_after`.
        """
        start, end = start.astimezone(UTC), end.astimezone(UTC)
        if self.period is not None:
            first = _next_period(self.period, start, (anchor or start).astimezone(UTC))
            return _every(self.period, first, end)
        walk = _walk_fixed if self.fixed else _walk_elapsed
        return walk(self.fields, ZoneInfo(self.timezone), start, end)


@lru_cache(maxsize=65_536)
def parse_schedule(text: str, timezone: str = "UTC") -> Schedule:
    """Returns the schedule that a text means: five fields, a macro, or `@every` and a duration.

    Raises `InvalidRequest` with the invalid field and the values that it may have.
    """
    text = text.strip(" \t")
    zone_name(timezone)
    if re.match(r"@every\b", text, re.IGNORECASE):
        return Schedule(text, timezone, fields="", period=_period(text[len("@every") :].strip(" \t")))
    return Schedule(text, timezone, fields=five_fields(text))


def zone_name(text: str) -> str:
    """Returns the name if it is a time zone of the IANA database; raises `InvalidRequest` otherwise."""
    if text in _zone_names():
        return text
    hint = zone_hint(text, _zone_names())
    raise InvalidRequest(f"{shown(text)} is not a time zone of the IANA database", hint=hint)


@cache
def _zone_names() -> frozenset[str]:
    """Returns the zones of the tzdata package. (The system's directory of zones also contains `localtime`, `posix/…`
    and `right/…`.)
    """
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


def _period(text: str) -> timedelta:
    if not text:
        raise InvalidRequest("@every needs a duration", hint="write one such as @every 90s")
    if text.isdigit():
        raise InvalidRequest(f"@every {text[:20]} has no unit", hint="write one such as @every 90s")
    period = timedelta(seconds=parse_duration(text))
    if not _SECOND <= period <= LONGEST_PERIOD:
        raise InvalidRequest(
            f"@every {text[:20]} is out of range: 1s to {LONGEST_PERIOD.days}d", hint="write one such as @every 90s"
        )
    return period


@lru_cache(maxsize=65_536)
def _next(fields: str, timezone: str, moment: datetime) -> datetime:
    """Computes an occurrence, and caches it, because the scheduler asks about the same minute for thousands of
    schedules.
    """
    zone = ZoneInfo(timezone)
    return _next_fixed(fields, zone, moment) if _is_fixed(fields) else _next_elapsed(fields, zone, moment)


def _is_fixed(fields: str) -> bool:
    return not any(field.startswith("*") for field in fields.split()[:2])


def _next_period(period: timedelta, moment: datetime, anchor: datetime) -> datetime:
    return anchor + max(1, (moment - anchor) // period + 1) * period


def _next_fixed(fields: str, zone: ZoneInfo, moment: datetime) -> datetime:
    wall = _wall(moment, zone)
    while True:
        wall = _next_wall(fields, wall)
        found = _first_instant(wall, zone)
        # In the second pass of a repeated hour, fixed times have already occurred.
        if found > moment:
            return found


def _next_elapsed(fields: str, zone: ZoneInfo, moment: datetime) -> datetime:
    """Searches the periods of constant UTC offset one after the other, because local time has no jumps within such a
    period.
    """
    begin = moment.replace(microsecond=0) + _SECOND
    while True:
        offset = _offset(begin, zone)
        found = (_next_wall(fields, begin + offset - _SECOND) - offset).replace(tzinfo=UTC)
        near = min(found, begin + 2 * _DAY)
        change = clock_change(zone, begin, near)
        if change is None and near == found:
            return found
        # If the next match is far away, nothing matches before it, except perhaps in a repeated hour. So the days
        # before it are skipped.
        begin = change or found - _DAY


def _every(period: timedelta, first: datetime, end: datetime) -> Iterator[datetime]:
    while first <= end:
        yield first
        first += period


def _walk_fixed(fields: str, zone: ZoneInfo, last: datetime, end: datetime) -> Iterator[datetime]:
    """Yields fixed times. All times in one skipped hour become one moment, and a repeated hour counts once."""
    for wall in CronSim(fields, _wall(last, zone)):
        found = _first_instant(wall, zone)
        if found > end:
            return
        if found > last:
            yield found
            last = found


def _walk_elapsed(fields: str, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """Yields occurrences in one period of constant UTC offset after another, as `_next_elapsed` does."""
    begin = start.replace(microsecond=0) + _SECOND
    while begin <= end:
        offset, ahead = _offset(begin, zone), min(begin + 30 * _DAY, end)
        change = clock_change(zone, begin, ahead)
        until = ahead if change is None else change - _SECOND
        found = until
        for wall in CronSim(fields, (begin + offset - _SECOND).replace(tzinfo=None)):
            found = (wall - offset).replace(tzinfo=UTC)
            if found > until:
                break
            yield found
        # As in `_next_elapsed`, nothing matches before a match that is far away, so the days before it are skipped.
        begin = until + _SECOND if change else max(until + _SECOND, found - _DAY)


def _next_wall(fields: str, wall: datetime) -> datetime:
    return next(CronSim(fields, wall.replace(tzinfo=None)))


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return _wall(moment, zone) - moment.replace(tzinfo=None)


def _first_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """Returns the moment at which a local time is first reached; for a time in a skipped hour, returns the end of that
    hour.
    """
    found = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if _wall(found, zone) == wall:
        return found
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return clock_change(zone, before, found) or found


def clock_change(zone: ZoneInfo, begin: datetime, end: datetime) -> datetime | None:
    """Returns the first second after `begin`, up to and including `end`, at which the zone's UTC offset is not the same
    as at `begin`; None if there is none.
    """
    begin, offset = begin.replace(microsecond=0), _offset(begin, zone)  # clocks change at a whole second
    while begin < end:
        ahead = min(begin + _DAY, end)
        if _offset(ahead, zone) != offset:
            return _bisect(zone, begin, ahead, offset)
        begin = ahead
    return None


def _bisect(zone: ZoneInfo, same: datetime, other: datetime, offset: timedelta) -> datetime:
    while other - same > _SECOND:
        middle = same + (other - same) // _SECOND // 2 * _SECOND
        if _offset(middle, zone) == offset:
            same = middle
        else:
            other = middle
    return other
