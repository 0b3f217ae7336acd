"""Compares two thousand random expressions over two years, fifty in each of forty time zones, with an independent
evaluator (`tests/cron_oracle.py`): no difference is allowed.
"""

from __future__ import annotations

import random
import time

import pytest

from norn_tasks.domain.cron.expression import parse_schedule
from tests import cron_oracle
from tests.cron_cases import TWO_YEARS, ZONES

EACH = 50


@pytest.mark.parametrize("place", range(len(ZONES)), ids=ZONES)
def test_fifty_random_expressions_over_two_years_do_not_differ(place: int) -> None:
    began, compared, different, zone = time.monotonic(), 0, [], ZONES[place]
    for number in range(place, len(ZONES) * EACH, len(ZONES)):
        text = cron_oracle.some_expression(random.Random(number))
        found = list(parse_schedule(text, zone).between(*TWO_YEARS))
        compared += len(found)
        if found != cron_oracle.occurrences(text, zone, *TWO_YEARS):
            different.append(text)
    seconds = time.monotonic() - began
    print(f"\n{zone}: {EACH} expressions, {compared} occurrences, {len(different)} differences, {seconds:.0f} s")
    assert different == []
