"""A second implementation of schedules, for comparison (the oracle): written from the rules of Debian's cron, by brute
force.

It shares no code with `norn_tasks.domain.cron`. For every minute of a span it computes the time that the wall clock
shows, and checks whether the five fields match that time. It also records the latest wall time that was reached:

* A job whose minute or hour field begins with a star ("wildcard") runs in every minute whose wall time matches.
* Any other job ("fixed time") runs when the wall clock reaches a matching time for the first time. In spring, times
  that the clock skips are run immediately, as one run; in autumn, times that it shows again are not run again.
* Day of the month and day of the week must both match if one of the two begins with a star; otherwise either is enough.

Source: Debian's cron(8), "DAYLIGHT SAVING TIME AND OTHER TIME CHANGES"; crontab(5) about the two fields of days.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

EPOCH = date(1970, 1, 1)
DAY = 1440
_MONTHS, _DAYS = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC", "SUNMONTUEWEDTHUFRISAT"
WORDS = {_MONTHS[3 * n : 3 * n + 3]: n + 1 for n in range(12)} | {_DAYS[3 * n : 3 * n + 3]: n for n in range(7)}
MACROS = {
    "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """Consecutive minutes of one wall day, without a jump of the clock. At `utc` the wall clock shows `wall`."""

    utc: int
    wall: int
    minutes: int


def minute_of(moment: datetime) -> int:
    """Returns the number of minutes from 1970 to a time."""
    return int(moment.timestamp()) // 60


def _wall(zone: ZoneInfo, minute: int) -> int:
    shown = datetime.fromtimestamp(minute * 60, UTC).astimezone(zone)
    return (shown.date() - EPOCH).days * DAY + shown.hour * 60 + shown.minute


@cache
def shown(zone: str, begin: int, end: int) -> tuple[Shown, ...]:
    """Returns the wall time of a zone for every minute of a span."""
    place, found = ZoneInfo(zone), []
    first = before = _wall(place, begin)
    since = begin
    for minute in range(begin + 1, end + 1):
        now = _wall(place, minute)
        if now != before + 1 or now % DAY == 0:
            found.append(Shown(since, first, minute - since))
            since, first = minute, now
        before = now
    found.append(Shown(since, first, end + 1 - since))
    return tuple(found)


def transitions(zone: str, begin: int, end: int) -> list[int]:
    """Returns the minutes of a span at which the wall clock jumps."""
    runs = shown(zone, begin, end)
    return [later.utc for run, later in pairwise(runs) if later.wall != run.wall + run.minutes]


def _numbers(field: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for term in field.upper().split(","):
        base, _, step = term.partition("/")
        first, _, last = (f"{low}-{high}" if base == "*" else base).partition("-")
        a = WORDS.get(first) if first in WORDS else int(first)
        b = (WORDS.get(last) if last in WORDS else int(last)) if last else (high if step else a)
        assert a is not None and b is not None
        found |= set(range(a, b + 1, int(step or 1)))
    return found


class Expression:
    """A schedule's five fields, as sets of numbers."""

    def __init__(self, text: str) -> None:
        minute, hour, day, month, weekday = MACROS.get(text, text).split()
        self.wildcard = minute.startswith("*") or hour.startswith("*")
        hours, minutes = _numbers(hour, 0, 23), _numbers(minute, 0, 59)
        self.minutes = sorted(h * 60 + m for h in hours for m in minutes)
        self._days, self._months = _numbers(day, 1, 31), _numbers(month, 1, 12)
        self._weekdays = {number % 7 for number in _numbers(weekday, 0, 7)}
        self._both = day.startswith("*") or weekday.startswith("*")
        self._named: dict[int, bool] = {}

    def _names_day(self, number: int) -> bool:
        known = self._named.get(number)
        if known is None:
            day = EPOCH + timedelta(days=number)
            by_day, by_weekday = day.day in self._days, day.isoweekday() % 7 in self._weekdays
            named = (by_day and by_weekday) if self._both else (by_day or by_weekday)
            known = self._named[number] = named and day.month in self._months
        return known

    def named(self, first: int, last: int) -> list[int]:
        """Returns the wall minutes from `first` to `last`, both included, that the fields match."""
        found: list[int] = []
        for number in range(first // DAY, last // DAY + 1):
            if self._names_day(number):
                found += [number * DAY + m for m in self.minutes if first <= number * DAY + m <= last]
        return found


def occurrences(text: str, zone: str, begin: datetime, end: datetime) -> list[datetime]:
    """Returns every occurrence after `begin` and not after `end` (full minutes), in UTC."""
    first, last = minute_of(begin), minute_of(end)
    runs, expression = shown(zone, first, last), Expression(text)
    found: list[int] = []
    furthest = runs[0].wall
    for run in runs:
        until = run.wall + run.minutes - 1
        if expression.wildcard:
            found += [run.utc + wall - run.wall for wall in expression.named(run.wall, until)]
            continue
        if expression.named(furthest + 1, run.wall - 1):
            found.append(run.utc)
        found += [run.utc + wall - run.wall for wall in expression.named(max(run.wall, furthest + 1), until)]
        furthest = max(furthest, until)
    return [datetime.fromtimestamp(minute * 60, UTC) for minute in sorted(set(found)) if minute > first]


def some_expression(chance: random.Random) -> str:
    """Returns five random fields: stars, steps, ranges, lists and names."""
    return " ".join(
        _some_field(chance, low, high, star)
        for low, high, star in ((0, 59, 0.04), (0, 23, 0.35), (1, 28, 0.6), (1, 12, 0.7), (0, 7, 0.6))
    )


def _some_field(chance: random.Random, low: int, high: int, star: float) -> str:
    kind = chance.random()
    if kind < star:
        return "*"
    if kind < star + 0.1:
        return f"*/{chance.randint(1, high)}"
    return ",".join(_some_term(chance, low, high) for _ in range(chance.choice((1, 1, 1, 2, 3))))


def _some_term(chance: random.Random, low: int, high: int) -> str:
    first = chance.randint(low, high)
    last = chance.randint(first, high)
    begin, end = _spelled(chance, first, high), _spelled(chance, last, high)
    span = chance.choice((f"{begin}-{end}", f"{begin}-{end}/{chance.randint(1, high)}"))
    return span if chance.random() < 0.25 else begin


def _spelled(chance: random.Random, number: int, high: int) -> str:
    """Returns a number in one of its spellings: with a leading zero, or as the name of a month or a day."""
    names = {12: _MONTHS[3 * number - 3 : 3 * number], 7: _DAYS[3 * number : 3 * number + 3]}
    return chance.choice((f"{number}", f"{number:02}", names.get(high, "").lower() or f"{number}"))
