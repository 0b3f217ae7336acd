"""Proves that the tests of schedules can fail: each deliberately added bug makes the test fail that should catch it.

A bug is added to a copy of the source tree, and pytest runs there; in a copy without a bug the test passes.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.planted import Bug, copy_tree, plant, require_caught, run_tests

TWICE = "tests/integration/test_ticks.py::test_an_occurrence_that_has_its_row_is_not_fired_again"
CLOCK = "tests/integration/test_cron_clock.py::test_a_beat_with_a_wrong_clock_decides_by_the_databases[+1h]"
CHANGES = "tests/unit/test_cron_brute_force.py::test_around_both_changes_of_the_year_nothing_differs[America/New_York]"


_CELERY = """    from celery.schedules import crontab

    minute, hour, day, month, weekday = fields.lower().split()
    at = moment.astimezone(ZoneInfo(timezone))
    plan = crontab(minute, hour, weekday, day, month, nowfun=lambda: at)
    plan.tz = ZoneInfo(timezone)
    return (at + plan.remaining_estimate(at)).astimezone(UTC)
"""

BUGS = (
    Bug(
        "the unique tick is dropped", "norn_tasks/store/migrations/versions/0002_apps.py",
        "CREATE UNIQUE INDEX cron_ticks_unique", "CREATE INDEX cron_ticks_unique", TWICE,
    ),
    Bug(
        "the worker's clock decides", "norn_tasks/store/cron/effective.py",
        "    assert isinstance(now, datetime)\n    return now\n",
        "    from datetime import UTC\n\n    return datetime.now(UTC)\n", CLOCK,
    ),
    Bug(
        "Celery's crontab computes", "norn_tasks/domain/cron/expression.py",
        "    zone = ZoneInfo(timezone)\n"
        "    return _next_fixed(fields, zone, moment) if _is_fixed(fields) else _next_elapsed(fields, zone, moment)\n",
        _CELERY, CHANGES,
    ),
)  # fmt: skip
_WALK = (
    "        return walk(self.fields, ZoneInfo(self.timezone), start, end)\n",
    "        return _one_by_one(self, start, end)\n",
    """

def _one_by_one(schedule: Schedule, start: datetime, end: datetime) -> Iterator[datetime]:
    while (start := schedule.next_after(start)) <= end:
        yield start
""",
)
"""A second change, made together with the bug of Celery's rules: it makes `between` call `next_after` for each
occurrence, because only `next_after` contains the bug.
"""


def _plant(place: Path, bug: Bug) -> None:
    plant(place, bug)
    if bug.bad is _CELERY:
        path = place / bug.file
        source = path.read_text()
        assert _WALK[0] in source
        path.write_text(source.replace(_WALK[0], _WALK[1]) + _WALK[2])


@pytest.mark.timeout(300)
def test_without_a_bug_the_copy_is_green(tmp_path: Path) -> None:
    done = run_tests(copy_tree(tmp_path / "tree"), *(bug.caught_by for bug in BUGS))
    assert done.returncode == 0, done.stdout[-3000:]
    assert f"{len(BUGS)} passed" in done.stdout


@pytest.mark.timeout(300)
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_caught(bug: Bug, tmp_path: Path) -> None:
    place = copy_tree(tmp_path / "tree")
    _plant(place, bug)
    require_caught(place, bug)
