"""Starts real schedulers ("beats") and a worker without containers over the stores of the tests, and computes the
occurrences that their ledger must hold, by the oracle (`cron_oracle`, a second implementation of schedules).
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from norn_tasks.store.cron import effective, gaps
from norn_tasks.store.database.session import Database
from tests import cron_oracle, factories, forks

BIN = Path(sys.executable).parent
BEAT = ("-A", "norn_tasks.celery_app", "beat", "-S", "norn_tasks.scheduler.beat:NornScheduler", "--pidfile=")
NOOP = "noop"


class Processes:
    """Scheduler and worker processes by name; `stop()` ends all of them."""

    def __init__(self, home: Path, database: Database, broker_url: str, **environment: str) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home, self.database = home, database
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("NORN_")},
            "NORN_DATABASE_URL": database.url, "NORN_BROKER_URL": broker_url, "NORN_DATA_DIR": str(home),
            "NORN_TEST_BUILD": "1", "NORN_NOOP_RUNTIME": "1", **environment,
        }  # fmt: skip
        self.running: dict[str, forks.Started] = {}

    def beat(self, name: str = "beat", **environment: str) -> None:
        """Starts a scheduler."""
        self._spawn(name, *BEAT, **environment)

    def worker(self, name: str = "cron") -> None:
        """Starts a worker of cron runs that only pretends to run containers."""
        self._spawn(
            name, "-A", "norn_tasks.tasks", "worker", "-Q", "cron", "-n", f"{name}@test", "-P", "threads", "-c", "4"
        )

    def _spawn(self, name: str, *argv: str, **environment: str) -> None:
        command = [str(BIN / "celery"), *argv]
        self.running[name] = forks.start(command, self._environment | environment, self.home, self.home / f"{name}.log")

    def send(self, name: str, number: int) -> None:
        """Sends a signal to a process; waits for the process to end if the signal kills it."""
        self.running[name].send_signal(number)
        if number == signal.SIGKILL:
            self.running[name].wait(10)

    def stop(self) -> None:
        """Ends all processes."""
        for process in self.running.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGCONT)
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)

    def log(self, name: str) -> str:
        """Returns everything that a process has logged."""
        return (self.home / f"{name}.log").read_text("utf-8", "replace")

    def decides(self) -> bool:
        """Returns True once a scheduler has reported itself in the database."""
        return bool(rows(self.database, "SELECT 1 FROM beats"))


def rows(database: Database, query: str, **bound: Any) -> list[Any]:
    """Returns the rows of a query."""
    with database.transaction() as tx:
        return list(tx.execute(text(query), bound))


def execute(database: Database, statement: str, **bound: Any) -> None:
    """Runs a statement that changes rows."""
    with database.transaction() as tx:
        tx.execute(text(statement), bound)


def now(database: Database) -> datetime:
    """Returns the database's clock."""
    with database.transaction() as tx:
        return effective.clock(tx)


_APPS = """
WITH given AS (SELECT * FROM unnest(CAST(:apps AS text[]), CAST(:schedules AS text[]), CAST(:zones AS text[]))
                      AS g(app, schedule, zone)),
spec AS (SELECT app, schedule, zone, CAST(:base AS jsonb) || jsonb_build_object('app', app, 'schedule', schedule,
                'timezone', zone) AS spec FROM given),
deployment AS (INSERT INTO deployments(app, job_id, kind, state, release, actor)
  SELECT app, 0, 'deploy', 'deployed', 1, 'test' FROM given RETURNING id, app),
release AS (INSERT INTO releases(app, n, image, image_id, engine, spec, live_at)
  SELECT app, 1, 'none', 'sha256:1', 'noop', spec, clock_timestamp() FROM spec),
slot AS (INSERT INTO slots(class, app, n) SELECT 'cron', app, 1 FROM given)
INSERT INTO apps(name, role, spec, written, source, forge_state, live_deployment, live_generation)
SELECT spec.app, 'cron', spec, spec, 'applied', 'forged', d.id, 1 FROM spec JOIN deployment d USING (app)"""
_STATES = """
INSERT INTO cron_states(app, schedule, timezone, anchor, decided_until, next_due)
SELECT * FROM unnest(CAST(:apps AS text[]), CAST(:schedules AS text[]), CAST(:zones AS text[]),
  CAST(:since AS timestamptz[]), CAST(:since AS timestamptz[]), CAST(:due AS timestamptz[]))"""


@dataclass(frozen=True)
class Crons:
    """Deployed cron apps, each with a schedule and a time zone. No occurrence after `since` has been decided yet."""

    schedules: dict[str, tuple[str, str]]
    since: datetime

    def write(self, database: Database) -> None:
        """Writes the rows of the apps."""
        apps = list(self.schedules)
        texts, zones = [self.schedules[app][0] for app in apps], [self.schedules[app][1] for app in apps]
        given = {"apps": apps, "schedules": texts, "zones": zones}
        since = [self.since] * len(apps)
        with database.transaction() as tx:
            tx.execute(text(_APPS), given | {"base": json.dumps(factories.spec("base", "cron").frozen())})
            tx.execute(text(_STATES), given | {"since": since, "due": since})

    def expected(self, app: str, until: datetime) -> list[datetime]:
        """Returns the occurrences of an app up to a time, computed by the oracle."""
        schedule, zone = self.schedules[app]
        if schedule.startswith("@every "):
            period = timedelta(seconds=int(schedule.removeprefix("@every ").rstrip("s")))
            return [self.since + n * period for n in range(1, (until - self.since) // period + 1)]
        found = cron_oracle.occurrences(schedule, zone, self.since, until + timedelta(minutes=1))
        return [moment for moment in found if self.since < moment <= until]


def differences(expected: list[datetime], ticks: Iterable[Any]) -> list[str]:
    """Compares the occurrences of an app with its ledger: each occurrence must be in exactly one row, and each row must
    hold at least one.
    """
    found, told = Counter[datetime](), []
    for tick in ticks:
        until = tick.until or tick.scheduled_for
        inside = [moment for moment in expected if tick.scheduled_for <= moment <= until]
        ends = [inside[0], inside[-1]] if inside else []
        if len(inside) != tick.how_many or ends != [tick.scheduled_for, until]:
            told.append(f"{tick.verdict} {tick.scheduled_for} to {until}: {tick.how_many}, in truth {len(inside)}")
        found.update(inside)
    told += [f"missing {moment}" for moment in expected if found[moment] == 0]
    return told + [f"double {moment}" for moment, count in found.items() if count > 1]


def settled(database: Database) -> None:
    """Counts the missed occurrences that the last scheduler has recorded only as a gap (a span that is still to be
    counted).
    """
    looked = 1
    while looked:
        with database.transaction() as tx:
            looked = gaps.settle(tx, "the end").looked


@dataclass
class Trouble:
    """Kills, freezes and restarts schedulers at random. A frozen one continues after `frozen` seconds.

    Between two of these events up to `pause` seconds pass.
    """

    processes: Processes
    names: tuple[str, ...]
    chance: random.Random
    frozen: float
    pause: float
    done: Counter[str]

    def until(self, end: float) -> None:
        """Disturbs the schedulers until `time.monotonic()` reaches `end`; then lets the frozen ones continue."""
        thaw: dict[str, float] = {}
        while time.monotonic() < end:
            time.sleep(self.chance.uniform(0.5, self.pause))
            for name, at in list(thaw.items()):
                if time.monotonic() >= at:
                    self.processes.send(name, signal.SIGCONT)
                    del thaw[name]
            name = self.chance.choice(self.names)
            if name in thaw:
                continue
            if self.chance.random() < 0.4:
                self.done["frozen"] += 1
                self.processes.send(name, signal.SIGSTOP)
                thaw[name] = time.monotonic() + self.frozen
            else:
                self._restart(name)
        for name in thaw:
            self.processes.send(name, signal.SIGCONT)

    def _restart(self, name: str) -> None:
        self.done["killed"] += 1
        self.processes.send(name, signal.SIGKILL)
        time.sleep(self.chance.uniform(0, 3))
        self.processes.beat(name)
