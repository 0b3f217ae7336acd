"""Every occurrence agrees with that of an independent evaluator: around changes of the clocks, and for random
schedules.
"""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from norn_tasks.domain.cron import expression
from norn_tasks.domain.cron.expression import parse_schedule
from tests import cron_oracle
from tests.cron_cases import EXPRESSIONS, TWO_YEARS, YEAR, ZONES

RANDOM = int(os.environ.get("NORN_RANDOM_SCHEDULES", "45"))
"""Random expressions that are compared over two years; `tests/soak/test_cron_schedules.py` compares 2,000."""
PLACES = min(len(ZONES), max(1, RANDOM // 15))
HALF = timedelta(hours=36)


def _changes(zone: str) -> list[datetime]:
    begin, end = map(cron_oracle.minute_of, YEAR)
    return [datetime.fromtimestamp(minute * 60, UTC) for minute in cron_oracle.transitions(zone, begin, end)]


def test_there_are_at_least_960_cases() -> None:
    assert len(set(ZONES)) * 2 * len(set(EXPRESSIONS)) >= 960


@pytest.mark.parametrize("zone", ZONES)
def test_around_both_changes_of_the_year_nothing_differs(zone: str) -> None:
    changes = _changes(zone)[:2]
    assert len(changes) == 2
    for change in changes:
        begin, end = change - HALF, change + HALF
        for text in EXPRESSIONS:
            found = list(parse_schedule(text, zone).between(begin, end))
            assert found == cron_oracle.occurrences(text, zone, begin, end), (text, change)


@pytest.mark.parametrize("number", range(RANDOM))
def test_over_two_years_a_random_expression_does_not_differ(number: int) -> None:
    chance = random.Random(number)
    zone, text = ZONES[number % PLACES * len(ZONES) // PLACES], cron_oracle.some_expression(chance)
    found = list(parse_schedule(text, zone).between(*TWO_YEARS))
    assert found == cron_oracle.occurrences(text, zone, *TWO_YEARS), (text, zone)


@pytest.mark.parametrize("number", range(20))
def test_asked_one_by_one_the_occurrences_are_the_same(number: int) -> None:
    chance = random.Random(-number)
    schedule = parse_schedule(cron_oracle.some_expression(chance), chance.choice(ZONES))
    begin = TWO_YEARS[0] + timedelta(minutes=chance.randint(0, 500_000))
    walked = list(schedule.between(begin, begin + timedelta(days=200)))[:300]
    moment = begin
    for expected in walked:
        moment = schedule.next_after(moment)
        assert moment == expected


def test_a_far_occurrence_is_come_to_in_few_walks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The schedule has two occurrences in about 28 years. Finding eight of them must not take a search with CronSim for
    each month in between.
    """
    walks = []

    def counted(*of: object) -> CronSim:
        walks.append(of)
        return CronSim(*of)

    monkeypatch.setattr(expression, "CronSim", counted)
    rare = parse_schedule("*/59 0 29 2 */7", "Europe/Berlin")
    found = list(islice(rare.between(TWO_YEARS[0], datetime(2200, 1, 1, tzinfo=UTC)), 8))
    assert [moment.astimezone(ZoneInfo("Europe/Berlin")).strftime("%m-%d %H:%M %w") for moment in found] == [
        "02-29 00:00 0", "02-29 00:59 0",
    ] * 4  # fmt: skip
    assert len(walks) < 40
