"""Two thousand random expressions over two years, and forty zones around both their changes: no difference at all."""

from __future__ import annotations

import random
import time

from norn_tasks.domain.cron import parse_schedule
from tests import cron_oracle
from tests.cron_cases import TWO_YEARS, ZONES

HOW_MANY = 2000


def test_two_thousand_random_expressions_over_two_years_do_not_differ() -> None:
    began, compared, different = time.monotonic(), 0, []
    for number in sorted(range(HOW_MANY), key=lambda n: n % len(ZONES)):
        text, zone = cron_oracle.some_expression(random.Random(number)), ZONES[number % len(ZONES)]
        found = list(parse_schedule(text, zone).between(*TWO_YEARS))
        compared += len(found)
        if found != cron_oracle.occurrences(text, zone, *TWO_YEARS):
            different.append((text, zone))
    seconds = time.monotonic() - began
    print(f"\n{HOW_MANY} expressions, {compared} occurrences, {len(different)} differences, {seconds:.0f} s")
    assert different == []
