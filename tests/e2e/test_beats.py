"""Runs two schedulers ("beats") and a schedule that is due every minute, for three minutes. The schedulers are killed
and started in turn, and once both at the same time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from tests.e2e import apps
from tests.e2e.stack import Stack
from tests.servers import wait_until

MINUTES = 3
FIRST, SECOND = "beat", "beat-2"

_TICKS = """
SELECT k.scheduled_for, k.verdict, k.how_many, x.state, j.runs
  FROM cron_ticks k FULL JOIN cron_executions x ON x.scheduled_for = k.scheduled_for AND x.app = k.app
  LEFT JOIN jobs j ON j.id = x.job_id
 WHERE coalesce(k.app, x.app) = 'minutely' ORDER BY k.scheduled_for"""
"""Joined by due time, not by the run's own occurrence: so a second run for an occurrence, or a run without one, adds a
row.
"""


def _now(stack: Stack) -> datetime:
    now: datetime = stack.rows("SELECT clock_timestamp() AS now")[0]["now"]
    return now


def _until(stack: Stack, moment: datetime) -> None:
    """Sleeps until a time of the database's clock without any query in between, so that it causes no load."""
    time.sleep(max(0.0, (moment - _now(stack)).total_seconds()))


def _plan(stack: Stack) -> list[tuple[int, float, Callable[[], object]]]:
    """Returns the plan: for each action the minute, the seconds from its beginning, and the action."""

    def start(name: str) -> Callable[[], object]:
        return lambda: stack.spawn("beat", name)

    def kill(*names: str) -> Callable[[], object]:
        return lambda: [stack.kill(name) for name in names]

    return [
        (0, 20, kill(FIRST)),
        (0, 40, start(FIRST)),
        (1, 0, kill(SECOND)),  # while both decide occurrences
        (1, 20, start(SECOND)),
        (2, -3, kill(FIRST, SECOND)),  # no scheduler runs when the minute begins
        (2, 5, start(SECOND)),
        (2, 15, lambda: None),  # a wait in which a scheduler could wrongly decide the minute again
    ]


@pytest.mark.timeout(300)
def test_each_minute_has_one_tick_that_fired_one_run(stack: Stack) -> None:
    """Takes three minutes: it sleeps until each planned action."""
    stack.spawn("beat", SECOND)
    apps.add_cron(stack, "minutely", "true", schedule="* * * * *")
    stack.norn("forge", "minutely")
    stack.norn("deploy", "minutely")
    live = stack.rows("SELECT decided_until FROM cron_states WHERE app = 'minutely'")[0]["decided_until"]
    first = live.replace(second=0, microsecond=0) + timedelta(minutes=1)
    for minute, seconds, act in _plan(stack):
        _until(stack, first + timedelta(minutes=minute, seconds=seconds))
        act()
    wait_until(lambda: _settled(stack, first), 30, "the last minute's run has ended")
    minutes = [first + timedelta(minutes=minute) for minute in range(MINUTES)]
    told = [tuple(row.values()) for row in stack.rows(_TICKS)]
    assert told == [(minute, "fired", 1, "succeeded", 1) for minute in minutes]


def _settled(stack: Stack, first: datetime) -> bool:
    time.sleep(0.5)
    last = first + timedelta(minutes=MINUTES - 1)
    query = "SELECT state FROM cron_executions WHERE app = 'minutely' AND scheduled_for = %s"
    return [row["state"] for row in stack.rows(query, last)] in (["succeeded"], ["failed"], ["error"])
