"""Occurrences around changes of the clocks, compared with a reading of the wall clock in every minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from norn_tasks.domain.cron.expression import parse_schedule

MINUTE = timedelta(minutes=1)
Wall = tuple[datetime, datetime]  # the time in UTC, and the time that the wall clock shows

# For each zone, the day on which its clocks go forward, and the day on which they go back: by half an hour in Lord
# Howe, at midnight in Cairo, Beirut, Santiago and Havana, at 2:45 in Chatham; in Casablanca they go back first, and
# then forward.
CHANGES = [
    ("Europe/Berlin", date(2026, 3, 29), date(2026, 10, 25)),
    ("Europe/London", date(2026, 3, 29), date(2026, 10, 25)),
    ("America/New_York", date(2026, 3, 8), date(2026, 11, 1)),
    ("America/Havana", date(2026, 3, 8), date(2026, 11, 1)),
    ("America/Santiago", date(2026, 9, 6), date(2026, 4, 5)),
    ("Africa/Cairo", date(2026, 4, 24), date(2026, 10, 30)),
    ("Africa/Casablanca", date(2026, 3, 22), date(2026, 2, 15)),
    ("Asia/Beirut", date(2026, 3, 29), date(2026, 10, 25)),
    ("Australia/Lord_Howe", date(2026, 10, 4), date(2026, 4, 5)),
    ("Pacific/Chatham", date(2026, 9, 27), date(2026, 4, 5)),
]
EXPRESSIONS = [
    "10,40 2 * * *",
    "*/15 2 * * *",
    "30 0 * * *",
    "*/20 0 * * *",
    "45 1 * * *",
    "5 1-3 * * *",
    "0 */2 * * *",
    "30 * * * *",
    "*/7 * * * *",
    "0-59 2 * * *",
    "0 0,23 * * *",
    "15 3 * * SUN",
]


@cache
def _walls(zone: str, day: date) -> tuple[Wall, ...]:
    """Returns every minute from 36 hours before noon (UTC) of a day to 36 hours after it."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    moments = (noon + number * MINUTE for number in range(-36 * 60, 36 * 60))
    return tuple((moment, moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)) for moment in moments)


def _numbers(field: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for term in field.replace("SUN", "0").split(","):
        base, _, step = term.partition("/")
        first, _, last = (f"{low}-{high}" if base == "*" else base).partition("-")
        found |= set(range(int(first), int(last or first) + 1, int(step or 1)))
    return found


def _shows(text: str, wall: datetime) -> bool:
    minute, hour, _, _, weekday = text.split()
    return (
        wall.minute in _numbers(minute, 0, 59)
        and wall.hour in _numbers(hour, 0, 23)
        and wall.isoweekday() % 7 in _numbers(weekday, 0, 6)
    )


def _expected(text: str, walls: tuple[Wall, ...]) -> list[datetime]:
    if any(field.startswith("*") for field in text.split()[:2]):
        return [moment for moment, wall in walls[1:] if _shows(text, wall)]
    first_shown: dict[datetime, datetime] = {}
    for (_, before), (moment, wall) in pairwise(walls):
        # Times that the clock skips count as shown at the end of the gap.
        for skipped in range(int((wall - before) / MINUTE)):
            first_shown.setdefault(wall - skipped * MINUTE, moment)
    return sorted({moment for wall, moment in first_shown.items() if _shows(text, wall)})


@pytest.mark.parametrize("text", EXPRESSIONS)
@pytest.mark.parametrize(("zone", "day"), [(zone, day) for zone, *days in CHANGES for day in days])
def test_every_occurrence_around_a_change_is_the_brute_force_one(zone: str, day: date, text: str) -> None:
    walls = _walls(zone, day)
    found = parse_schedule(text, zone).between(walls[0][0], walls[-1][0])
    assert list(found) == _expected(text, walls)


@pytest.mark.parametrize(("zone", "forward", "back"), CHANGES)
def test_the_days_chosen_here_are_days_of_change(zone: str, forward: date, back: date) -> None:
    forward_walls, back_walls = ([wall for _, wall in _walls(zone, day)] for day in (forward, back))
    assert any(later - earlier > MINUTE for earlier, later in pairwise(forward_walls))
    assert any(later < earlier for earlier, later in pairwise(back_walls))


def _berlin(text: str, start: datetime, hours: int) -> list[str]:
    found = parse_schedule(text, "Europe/Berlin").between(start, start + timedelta(hours=hours))
    return [moment.astimezone(ZoneInfo("Europe/Berlin")).strftime("%d %H:%M %z") for moment in found]


def test_two_fixed_times_in_the_gap_are_one_run_right_after_it() -> None:
    assert _berlin("10,40 2 * * *", datetime(2026, 3, 28, 12, tzinfo=UTC), 24) == ["29 03:00 +0200"]


def test_a_wildcard_in_the_gap_is_no_run() -> None:
    assert _berlin("*/15 2 * * *", datetime(2026, 3, 28, 12, tzinfo=UTC), 24) == []


def test_a_fixed_time_in_the_repeated_hour_runs_the_first_time_only() -> None:
    assert _berlin("30 2 * * *", datetime(2026, 10, 24, 12, tzinfo=UTC), 24) == ["25 02:30 +0200"]


def test_asked_within_the_second_showing_a_fixed_time_waits_for_the_next_day() -> None:
    second_showing = datetime(2026, 10, 25, 1, 15, tzinfo=UTC)
    assert _berlin("30 2 * * *", second_showing, 24) == []


def test_a_wildcard_runs_in_both_showings_of_the_repeated_hour() -> None:
    assert _berlin("*/30 2 * * *", datetime(2026, 10, 24, 12, tzinfo=UTC), 24) == [
        "25 02:00 +0200",
        "25 02:30 +0200",
        "25 02:00 +0100",
        "25 02:30 +0100",
    ]


def test_a_wildcard_finds_a_repeated_hour_that_is_a_year_before_its_next_date() -> None:
    first_showing_ended = datetime(2026, 10, 25, 0, 59, 30, tzinfo=UTC)
    found = parse_schedule("* 2 25 10 *", "Europe/Berlin").next_after(first_showing_ended)
    assert found == datetime(2026, 10, 25, 1, 0, tzinfo=UTC)
