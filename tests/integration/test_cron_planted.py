"""Proof that these tests can fail: each planted bug makes the test red that is meant to catch it.

A bug is planted in a copy of the tree, and pytest is run there; the copy without a bug is green.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.architecture.source import ROOT

TWICE = "tests/integration/test_ticks.py::test_an_occurrence_that_has_its_row_is_not_fired_again"
CLOCK = "tests/integration/test_cron_clock.py::test_a_beat_with_a_wrong_clock_decides_by_the_databases[+1h]"
CHANGES = "tests/unit/test_cron_brute_force.py::test_around_both_changes_of_the_year_nothing_differs[America/New_York]"


@dataclass(frozen=True)
class Bug:
    """What is planted: in one file a text that must be there is replaced; and the test that must not pass then."""

    name: str
    file: str
    good: str
    bad: str
    caught_by: str


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
        "the worker's clock decides", "norn_tasks/store/plans.py",
        "    assert isinstance(now, datetime)\n    return now\n",
        "    from datetime import UTC\n\n    return datetime.now(UTC)\n", CLOCK,
    ),
    Bug(
        "Celery's crontab computes", "norn_tasks/domain/cron.py",
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
"""With Celery's, the walk is the next one after the next one: only so it reaches what was planted."""


def _copy(place: Path) -> Path:
    shutil.copytree(ROOT, place, ignore=shutil.ignore_patterns(".venv", ".git", ".norn", "node_modules", "__pycache__"))
    return place


def _plant(place: Path, bug: Bug) -> None:
    path = place / bug.file
    source = path.read_text()
    assert bug.good in source, f"{bug.name}: {bug.file} has changed; plant it anew"
    source = source.replace(bug.good, bug.bad)
    if bug.bad is _CELERY:
        assert _WALK[0] in source
        source = source.replace(_WALK[0], _WALK[1]) + _WALK[2]
    path.write_text(source)


def _run(place: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        cwd=place, env=environment | {"PYTHONPATH": str(place)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.timeout(300)
def test_without_a_bug_the_copy_is_green(tmp_path: Path) -> None:
    done = _run(_copy(tmp_path / "tree"), *(bug.caught_by for bug in BUGS))
    assert done.returncode == 0, done.stdout[-3000:]
    assert f"{len(BUGS)} passed" in done.stdout


@pytest.mark.timeout(300)
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_caught(bug: Bug, tmp_path: Path) -> None:
    place = _copy(tmp_path / "tree")
    _plant(place, bug)
    done = _run(place, bug.caught_by)
    assert done.returncode == 1, done.stdout[-3000:]
    assert f"FAILED {bug.caught_by}" in done.stdout and "1 failed" in done.stdout
    assert re.search(r"^E\s+[Aa]ssert", done.stdout, re.MULTILINE), done.stdout[-3000:]
