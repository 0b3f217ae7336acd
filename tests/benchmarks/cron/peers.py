"""The other schedulers of Celery, each set up as its documentation says: Celery's own, celery-redbeat,
sqlalchemy-celery-beat.

If the documentation gives no interval between two reads of the store, it is 5 s (`beat_max_loop_interval`). That is the
default of sqlalchemy-celery-beat; Celery's own default is five minutes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.cron.consumer import QUEUE, Consumer
from tests.benchmarks.cron.figures import Counted, Runs
from tests.benchmarks.cron.subject import EDITS, MINUTE
from tests.benchmarks.processes import Program, cpu_seconds
from tests.servers import Broker, Postgres

_CELERY = str(Path(sys.executable).parent / "celery")
_APP = """
from celery import Celery
app = Celery("bench", broker={broker!r})
app.conf.update(timezone="UTC", task_default_queue={queue!r}, task_ignore_result=True, {more})
"""


class Peer:
    """One other scheduler: a module that configures it, a process, and a consumer of the messages that it publishes."""

    name, package, scheduler, edit_by = "", "", "", ""
    edits_live = True

    def __init__(self, home: Path, broker: Broker, postgres: Postgres) -> None:
        self.version = version(self.package)
        self._home, self._broker, self._postgres = home, broker, postgres
        self._broker.client().flushall()
        self._consumer = Consumer(broker)
        self._beat: Program | None = None

    def start(self) -> None:
        """Starts the scheduler."""
        argv = [_CELERY, "-A", "peer", "beat", "--pidfile=", "-l", "warning"]
        scheduler = ["-S", self.scheduler] if self.scheduler else ["-s", str(self._home / "schedule")]
        self._beat = Program([*argv, *scheduler], self._home, "beat", self._environment())

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self._home)}

    def configure(self, more: str = "", then: str = "") -> None:
        """Writes the module with which the scheduler is configured."""
        made = _APP.format(broker=self._broker.url, queue=QUEUE, more=more)
        (self._home / "peer.py").write_text(made + then)

    def run(self, script: str) -> None:
        """Runs a script that can import the configuration, as an operator would."""
        argv = [sys.executable, "-c", f"from peer import *\n{script}"]
        subprocess.run(argv, check=True, cwd=self._home, env=self._environment())

    def cpu(self) -> float:
        """Returns the CPU seconds of the scheduler."""
        assert self._beat is not None, "it was started"
        return cpu_seconds(self._beat.pid)

    def first_tick(self, n: int, edited: float, patience: float) -> float | None:
        """Waits for the first message of an edited schedule; returns the seconds since the edit."""
        end = time.time() + patience
        while time.time() < end:
            at = self._consumer.first(f"edited-{n}", edited)
            if at is not None:
                return at - edited
            time.sleep(0.05)
        return None

    def stop(self) -> None:
        """Stops the scheduler; messages that it had sent are read immediately."""
        if self._beat is not None:
            self._beat.stop()
            self._beat = None
        time.sleep(1)

    def count(self, first: int, minutes: int) -> Counted:
        """Counts each message for the newest minute that had begun when it arrived: messages do not name their minute,
        and this favours the other scheduler.
        """
        seen = [(at, name) for at, name in self._consumer.seen() if not name.startswith("edited")]
        within = [(at, name) for at, name in seen if first <= at < first + minutes * MINUTE]
        times = Counter((name, int(at // MINUTE)) for at, name in within)
        return Counted(
            fired=len(within), skipped=0, missing=self._count * minutes - len(times),
            doubled=sum(times.values()) - len(times), lags=[at % MINUTE for at, _ in within],
        )  # fmt: skip

    def runs(self, first: int, minutes: int) -> Runs | None:
        """Returns None: of other schedulers only the messages are measured."""
        return None

    def close(self) -> None:
        """Ends the process."""
        self.stop()
        self._consumer.close()

    _count = 0


class StockBeat(Peer):
    """Celery's own scheduler: entries in the configuration, their last runs in a file. An edit requires a restart."""

    name, package, edit_by, edits_live = "celery beat", "celery", "restart", False
    _ENTRIES = """
from celery.schedules import crontab, schedule
def entry(name, when):
    return {{"task": "bench.tick", "schedule": when, "args": [name]}}
edited = {edited!r}
app.conf.beat_schedule = {{f"s{{n}}": entry(f"s{{n}}", crontab()) for n in range({count})}}
for n in range({edits}):
    when = schedule(1) if n in edited else crontab("0", "0", "*", "1", "1")
    app.conf.beat_schedule[f"edited-{{n}}"] = entry(f"edited-{{n}}", when)
"""

    def prepare(self, count: int, _every: int) -> None:
        """Writes the entries into the configuration."""
        self._count = count
        self._write([])

    def _write(self, edited: list[int]) -> None:
        self.configure(then=self._ENTRIES.format(count=self._count, edits=EDITS, edited=edited))

    def edit(self, n: int, patience: float) -> float | None:
        """Changes the configuration and starts the beat again."""
        edited = time.time()
        self._write([n])
        self.stop()
        self.start()
        took = self.first_tick(n, edited, patience)
        self.stop()
        return took


class RedBeat(Peer):
    """celery-redbeat: entries in Redis."""

    name, package, scheduler = "celery-redbeat", "celery-redbeat", "redbeat.RedBeatScheduler"
    _ENTRIES = """
from celery.schedules import crontab, schedule
from redbeat import RedBeatSchedulerEntry as Entry
def save(name, when):
    Entry(name, "bench.tick", when, args=[name], app=app).save()
"""

    def prepare(self, count: int, _every: int) -> None:
        """Saves the entries in a database of their own on the broker's server."""
        self._count = count
        url = self._broker.url.removesuffix("/0") + "/1"
        self.configure(f"redbeat_redis_url={url!r}, beat_max_loop_interval=5", self._ENTRIES)
        self.run(
            f'for n in range({count}): save(f"s{{n}}", crontab())\n'
            f'for n in range({EDITS}): save(f"edited-{{n}}", crontab("0", "0", "*", "1", "1"))'
        )

    def edit(self, n: int, patience: float) -> float | None:
        """Saves the entry again with another schedule."""
        self.run(f'save("edited-{n}", schedule(1))\nopen("edited", "w").write(str(__import__("time").time()))')
        took = self.first_tick(n, float((self._home / "edited").read_text()), patience)
        self.run(f'save("edited-{n}", crontab("0", "0", "*", "1", "1"))')
        return took


class SqlBeat(Peer):
    """sqlalchemy-celery-beat: rows in PostgreSQL."""

    name, package = "sqlalchemy-celery-beat", "sqlalchemy-celery-beat"
    scheduler = "sqlalchemy_celery_beat.schedulers:DatabaseScheduler"
    _ENTRIES = """
import json, time
from sqlalchemy_celery_beat.models import CrontabSchedule, IntervalSchedule, Period, PeriodicTask
from sqlalchemy_celery_beat.session import SessionManager
manager = SessionManager()
def session():
    engine, Session = manager.create_session(app.conf.beat_dburi)
    manager.prepare_models(engine)
    return Session()
def task(name, when):
    return PeriodicTask(name=name, task="bench.tick", args=json.dumps([name]), schedule_model=when)
"""

    def prepare(self, count: int, _every: int) -> None:
        """Writes the rows."""
        self._count = count
        self._postgres.execute("DROP DATABASE IF EXISTS sqlbeat WITH (FORCE)")
        self._postgres.execute("CREATE DATABASE sqlbeat")
        url = self._postgres.url("sqlbeat").replace("postgresql://", "postgresql+psycopg2://")
        self.configure(f"beat_dburi={url!r}, beat_max_loop_interval=5", self._ENTRIES)
        self.run(
            "with session() as s:\n"
            "    minute, year = CrontabSchedule(), CrontabSchedule(minute='0', hour='0', day_of_month='1',"
            " month_of_year='1')\n"
            "    s.add_all([minute, year]); s.flush()\n"
            f"    s.add_all(task(f's{{n}}', minute) for n in range({count}))\n"
            f"    s.add_all(task(f'edited-{{n}}', year) for n in range({EDITS}))\n"
            "    s.commit()"
        )

    def edit(self, n: int, patience: float) -> float | None:
        """Gives the row another schedule; the package notices the change without further help."""
        self.run(
            "with session() as s:\n"
            "    second = IntervalSchedule(every=1, period=Period.SECONDS)\n"
            "    s.add(second); s.flush()\n"
            f"    s.query(PeriodicTask).filter_by(name='edited-{n}').one().schedule_model = second\n"
            "    s.commit()\n"
            "open('edited', 'w').write(str(time.time()))"
        )
        took = self.first_tick(n, float((self._home / "edited").read_text()), patience)
        self.run(
            "with session() as s:\n"
            f"    s.query(PeriodicTask).filter_by(name='edited-{n}').one().enabled = False\n"
            "    s.commit()"
        )
        return took
