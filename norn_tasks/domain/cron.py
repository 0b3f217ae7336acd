"""When a schedule comes: one parser and one calendar for spec, API, CLI and beat.

Local time follows Debian's cron over a change of the clocks. A fixed time (neither minute nor hour begins with a star)
that falls into the gap comes once, right after it, and in the repeated hour it comes once, the first time. Any other
schedule follows elapsed time: it comes whenever the wall clock shows it. cronsim walks the calendar, without any zone;
zones are applied here, because its own walk loses half an hour where the clocks change by half an hour (Lord Howe).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from cronsim import CronSim

from norn_tasks.domain.cron_fields import five_fields
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.quantities import parse_duration
from norn_tasks.domain.wording import closest, shown

LONGEST_PERIOD = timedelta(days=366)
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Schedule:
    """A schedule that was accepted: its text, its zone, and what they mean (five fields, or a period)."""

    text: str
    timezone: str
    fields: str
    period: timedelta | None = None

    @property
    def fixed(self) -> bool:
        """Whether it names fixed times of day, which the change of the clocks neither loses nor doubles."""
        return bool(self.fields) and _is_fixed(self.fields)

    def next_after(self, moment: datetime, anchor: datetime | None = None) -> datetime:
        """Return the first occurrence strictly after `moment`, in UTC.

        `@every` counts from `anchor`, so that its first occurrence is one period later; without one, from `moment`.
        """
        moment = moment.astimezone(UTC)
        if self.period is not None:
            return _next_period(self.period, moment, anchor.astimezone(UTC) if anchor else moment)
        return _next(self.fields, self.timezone, moment)

    def shows(self, wall: datetime) -> bool:
        """Return whether the five fields name this time of a wall clock, whatever the zone does; never for a period."""
        return bool(self.fields) and _next_wall(self.fields, wall - _SECOND) == wall

    def between(self, start: datetime, end: datetime, anchor: datetime | None = None) -> Iterator[datetime]:
        """Yield every occurrence after `start` and not after `end`, oldest first; `anchor` as in `next_after`.

        One walk over the calendar: many times quicker than asking for the next one again and again.
        """
        start, end = start.astimezone(UTC), end.astimezone(UTC)
        if self.period is not None:
            first = _next_period(self.period, start, (anchor or start).astimezone(UTC))
            return _every(self.period, first, end)
        walk = _walk_fixed if self.fixed else _walk_elapsed
        return walk(self.fields, ZoneInfo(self.timezone), start, end)


@lru_cache(maxsize=65_536)
def parse_schedule(text: str, timezone: str = "UTC") -> Schedule:
    """Return the schedule that a text means: five fields, a macro, or `@every` and a duration.

    Raises `InvalidRequest` with a sentence that names the field of the five, and what it may be.
    """
    text = text.strip(" \t")
    zone_name(timezone)
    if re.match(r"@every\b", text, re.IGNORECASE):
        return Schedule(text, timezone, fields="", period=_period(text[len("@every") :].strip(" \t")))
    return Schedule(text, timezone, fields=five_fields(text))


def zone_name(text: str) -> str:
    """Accept the name of a time zone of the IANA database."""
    if text in _zone_names():
        return text
    likely = closest(text, _zone_names())
    hint = f"did you mean {likely}?" if likely else "write a name such as Europe/Berlin, or UTC"
    raise InvalidRequest(f"{shown(text)} is not a time zone of the IANA database", hint=hint)


@cache
def _zone_names() -> frozenset[str]:
    """List the zones by the package's index: the system's directory also holds `localtime`, `posix/…` and `right/…`."""
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


def _period(text: str) -> timedelta:
    if text.isdigit() or not text:
        raise InvalidRequest(f"@every {text[:20]} has no unit", hint="write one such as @every 90s")
    period = timedelta(seconds=parse_duration(text))
    if not _SECOND <= period <= LONGEST_PERIOD:
        raise InvalidRequest(
            f"@every {text[:20]} is out of range: 1s to {LONGEST_PERIOD.days}d", hint="write one such as @every 90s"
        )
    return period


@lru_cache(maxsize=65_536)
def _next(fields: str, timezone: str, moment: datetime) -> datetime:
    """Computes once what many schedules share: beat asks thousands of them about the same minute."""
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
        # In the second showing of a repeated hour, its times have come already.
        if found > moment:
            return found


def _next_elapsed(fields: str, zone: ZoneInfo, moment: datetime) -> datetime:
    """Search one stretch of constant offset after another: within a stretch the wall clock runs as time does."""
    begin = moment.replace(microsecond=0) + _SECOND
    while True:
        offset = _offset(begin, zone)
        found = (_next_wall(fields, begin + offset - _SECOND) - offset).replace(tzinfo=UTC)
        near = min(found, begin + 2 * _DAY)
        change = clock_change(zone, begin, near)
        if change is None and near == found:
            return found
        # No wall time before a far target matches, except in an hour repeated soon: the days between need no search.
        begin = change or found - _DAY


def _every(period: timedelta, first: datetime, end: datetime) -> Iterator[datetime]:
    while first <= end:
        yield first
        first += period


def _walk_fixed(fields: str, zone: ZoneInfo, last: datetime, end: datetime) -> Iterator[datetime]:
    """Walk the wall clock's calendar; times of one gap are one moment, and those shown a second time have been."""
    for wall in CronSim(fields, _wall(last, zone)):
        found = _first_instant(wall, zone)
        if found > end:
            return
        if found > last:
            yield found
            last = found


def _walk_elapsed(fields: str, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """Walk one stretch of constant offset after another, as `_next_elapsed` does."""
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
        # Up to a far target nothing matches, as in `_next_elapsed`: the days between need no walk.
        begin = until + _SECOND if change else max(until + _SECOND, found - _DAY)


def _next_wall(fields: str, wall: datetime) -> datetime:
    return next(CronSim(fields, wall.replace(tzinfo=None)))


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return _wall(moment, zone) - moment.replace(tzinfo=None)


def _first_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return when the wall clock first shows a time; for one inside a gap, the moment the gap ends."""
    found = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if _wall(found, zone) == wall:
        return found
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return clock_change(zone, before, found) or found


def clock_change(zone: ZoneInfo, begin: datetime, end: datetime) -> datetime | None:
    """Return the first second after `begin`, up to `end`, with another offset than `begin` has; spans of days."""
    offset = _offset(begin, zone)
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
