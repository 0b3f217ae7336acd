"""A year of 504 random schedules in six zones by Debian's own cron and by Norn: they differ only as docs/cron.md says.

The daemon is the untouched binary of the package `cron`, which `apt-get download` fetches. `virtual_clock.c` is
preloaded into it, so that a year takes it seconds, and writes down each job that it would start.
"""

from __future__ import annotations

import os
import pwd
import random
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from norn_tasks.domain.cron.expression import parse_schedule
from tests import cron_oracle

ZONES = (
    "Europe/Berlin", "America/New_York", "America/Santiago", "Australia/Lord_Howe", "Pacific/Chatham", "Africa/Cairo",
)  # fmt: skip
"""The time zones; their clocks change, in this order, at 1:00 UTC, at 2:00, at midnight, by half an hour, at 2:45, and
at midnight as a Friday begins.
"""
EACH = 84
MOST = 5_000
"""Schedules with more runs in a year are not compared: each run is a process of the daemon."""
YEAR = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class DebianCron:
    """The daemon, unpacked below a directory, and the library with its clock."""

    def __init__(self, below: Path) -> None:
        self._below = below
        subprocess.run(["apt-get", "-q", "download", "cron"], cwd=below, check=True)
        (package,) = below.glob("cron_*.deb")
        subprocess.run(["dpkg-deb", "-x", package, below / "unpacked"], check=True)
        source, self._clock = Path(__file__).with_name("virtual_clock.c"), below / "virtual_clock.so"
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", self._clock, source], check=True)

    def year(self, zone: str, schedules: list[str]) -> list[Counter[datetime]]:
        """Returns for each schedule how often the daemon runs it in each minute of the year."""
        root, log = self._below / "root", self._below / f"{zone.replace('/', '-')}.log"
        for directory in ("var/spool/cron/crontabs", "etc/cron.d", "var/run", "run"):
            (root / directory).mkdir(parents=True, exist_ok=True)
        table = root / "var/spool/cron/crontabs" / pwd.getpwuid(os.getuid()).pw_name
        table.write_text("".join(f"{text} {number}\n" for number, text in enumerate(schedules)))
        table.chmod(0o600)
        begin, end = (YEAR[0] - MINUTE).timestamp(), (YEAR[1] + MINUTE).timestamp()
        clock = {
            "LD_PRELOAD": str(self._clock), "TZ": f":{files('tzdata').joinpath('zoneinfo', *zone.split('/'))}",
            "CRON_ROOT": str(root), "CRON_LOG": str(log), "CRON_BEGIN": f"{begin:.0f}", "CRON_END": f"{end:.0f}",
        }  # fmt: skip
        subprocess.run([self._below / "unpacked/usr/sbin/cron", "-f"], env=clock, check=True)
        found: list[Counter[datetime]] = [Counter() for _ in schedules]
        for line in log.read_text().splitlines():
            at, number = map(int, line.split())
            found[number][datetime.fromtimestamp(at // 60 * 60, UTC)] += 1
        return found


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> DebianCron:
    return DebianCron(tmp_path_factory.mktemp("debian"))


def _expected(text: str, zone: str) -> list[datetime]:
    return list(parse_schedule(text, zone).between(YEAR[0], YEAR[1] - MINUTE))


def _schedules(zone: str) -> Iterator[str]:
    chance = random.Random(zone)
    while True:
        text = cron_oracle.some_expression(chance)
        if len(_expected(text, zone)) <= MOST:
            yield text


@pytest.mark.parametrize("zone", ZONES)
def test_a_year_of_random_schedules_is_that_of_debians_own_cron(debian: DebianCron, zone: str) -> None:
    schedules = [text for text, _ in zip(_schedules(zone), range(EACH), strict=False)]
    seen, different, at_once = debian.year(zone, schedules), {}, set()
    for text, runs in zip(schedules, seen, strict=True):
        expected, found = set(_expected(text, zone)), {at for at in runs if YEAR[0] < at < YEAR[1]}
        if found != expected:
            different[text] = sorted(found ^ expected)[:5]
        at_once |= {at for at, count in runs.items() if count > 1}
    total = sum(runs.total() for runs in seen)
    print(f"\n{zone}: {EACH} schedules, {total} runs of the daemon, {len(different)} different, {len(at_once)} at once")
    assert different == {} and total > EACH
    # docs/cron.md: several fixed times in one gap are one run in Norn, and one run each in Debian.
    assert all(_ends_a_gap(at, zone) for at in at_once)


def _ends_a_gap(moment: datetime, zone: str) -> bool:
    before, after = ((moment - MINUTE).astimezone(ZoneInfo(zone)), moment.astimezone(ZoneInfo(zone)))
    return (after.utcoffset() or timedelta()) > (before.utcoffset() or timedelta())
