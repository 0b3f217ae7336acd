"""Runs schedulers ("beats") that are killed and frozen, over a mix of schedules, and compares their ledger of
occurrences with the oracle (`cron_oracle`, a second implementation of schedules). The tests of CI and the long soak
tests use it.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

from norn_tasks.store.database.session import Database
from tests import beats_kit
from tests.beats_kit import Crons, Processes, Trouble
from tests.servers import wait_until

TEXTS = ("* * * * *", "*/2 * * * *", "@every 3s", "@every 5s", "@every 7s", "@every 31s", "0-59 * * * *")
PLACES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns")


def run(
    database: Database, broker_url: str, home: Path, *, beats: int, seconds: float, frozen: float, pause: float = 3
) -> Counter[str]:
    """Kills and freezes schedulers for some seconds. Returns how often each of these happened, and how many occurrences
    had each verdict. Raises AssertionError if the ledger differs from the oracle.
    """
    chance = random.Random(beats)
    given = {
        f"app-{n:03}": (TEXTS[n % len(TEXTS)], PLACES[n % len(PLACES)]) for n in range(len(TEXTS) * len(PLACES) * 2)
    }
    crons = Crons(given, beats_kit.now(database))
    crons.write(database)
    processes = Processes(home, database, broker_url)
    names = tuple(f"beat-{n}" for n in range(1, beats + 1))
    told = Counter[str]()
    try:
        processes.worker()
        for name in names:
            processes.beat(name)
        wait_until(processes.decides, 60, "a beat decides")
        Trouble(processes, names, chance, frozen, pause, told).until(time.monotonic() + seconds)
        _all_decided(database)
        beats_kit.execute(database, "UPDATE cron_states SET next_due = NULL")
        wait_until(lambda: not _open_runs(database), 120, "every run has ended")
    finally:
        processes.stop()
    beats_kit.settled(database)
    return told + _compared(database, crons)


def _all_decided(database: Database) -> None:
    after = beats_kit.now(database)
    late = "SELECT 1 FROM cron_states WHERE next_due < :after UNION ALL SELECT 1 FROM cron_gaps"
    wait_until(lambda: not beats_kit.rows(database, late, after=after), 90, "everything due by the end is decided")


def _open_runs(database: Database) -> bool:
    return bool(beats_kit.rows(database, "SELECT 1 FROM jobs WHERE state IN ('queued', 'running') LIMIT 1"))


def _compared(database: Database, crons: Crons) -> Counter[str]:
    told, different = Counter[str](), []
    for app in crons.schedules:
        (state,) = beats_kit.rows(database, "SELECT decided_until FROM cron_states WHERE app = :app", app=app)
        ticks = beats_kit.rows(database, "SELECT * FROM cron_ticks WHERE app = :app ORDER BY scheduled_for", app=app)
        expected = crons.expected(app, state.decided_until)
        told["targets"] += len(expected)
        for tick in ticks:
            told[tick.verdict] += tick.how_many
        different += [f"{app}: {difference}" for difference in beats_kit.differences(expected, ticks)]
    assert different == []
    assert _runs_without_ticks(database) == []
    return told


def _runs_without_ticks(database: Database) -> list[object]:
    """Returns the runs that did not begin exactly once or did not succeed, the runs without the occurrence that started
    them, and the occurrences that fired and have no run.
    """
    return beats_kit.rows(
        database,
        """SELECT x.id, k.id, j.runs FROM cron_executions x JOIN jobs j ON j.id = x.job_id
             FULL JOIN (SELECT * FROM cron_ticks WHERE verdict IN ('fired', 'caught_up')) k ON k.execution = x.id
            WHERE x.id IS NULL OR k.id IS NULL OR k.scheduled_for <> x.scheduled_for OR j.runs <> 1
               OR x.state <> 'succeeded'""",
    )
