"""Pure rules of schedules: which occurrences are due, which are the newest, and how long one is delayed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from norn_tasks.domain.cron.expression import parse_schedule
from norn_tasks.domain.schedule import due, held_back, newest_of

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_what_is_due_is_told_by_its_ends_and_what_follows() -> None:
    have = due(parse_schedule("*/10 * * * *"), NOON - 60 * MINUTE, NOON + MINUTE, NOON)
    assert have is not None
    assert (have.first, have.newest, have.following) == (NOON - 50 * MINUTE, NOON, NOON + 10 * MINUTE)


def test_before_the_first_one_nothing_is_due() -> None:
    assert due(parse_schedule("0 13 * * *"), NOON, NOON + 59 * MINUTE, NOON) is None


@pytest.mark.parametrize("text", ["* * * * *", "*/7 3-9 * * *", "0 0 * * 1", "17 4 1 * *", "@every 90s", "@every 3h"])
@pytest.mark.parametrize("count", [1, 24])
def test_the_newest_are_the_last_of_all(text: str, count: int) -> None:
    schedule, begin = parse_schedule(text, "Europe/Berlin"), NOON - timedelta(days=40)
    anchor = begin - timedelta(seconds=17)
    everything = list(schedule.between(begin, NOON, anchor))
    assert newest_of(schedule, begin, NOON, anchor, count) == everything[-count:]


def test_an_occurrence_is_held_back_the_same_each_time() -> None:
    assert held_back("report", NOON, NOON + MINUTE, 20) == held_back("report", NOON, NOON + MINUTE, 20)


def test_occurrences_and_apps_are_held_back_differently() -> None:
    waits = {held_back(app, NOON + n * MINUTE, NOON + (n + 1) * MINUTE, 20) for app in "ab" for n in range(50)}
    assert len(waits) == 100


@pytest.mark.parametrize("jitter", [1, 20, 30, 3600])
def test_holding_back_stays_below_the_jitter_and_half_the_period(jitter: int) -> None:
    waits = [held_back("report", NOON + n * MINUTE, NOON + (n + 1) * MINUTE, jitter) for n in range(500)]
    most = min(timedelta(seconds=jitter), MINUTE / 2)
    assert all(timedelta() <= wait < most for wait in waits)
    assert max(waits) > 0.9 * most


def test_without_jitter_nothing_is_held_back() -> None:
    assert held_back("report", NOON, NOON + MINUTE, 0) == timedelta()
