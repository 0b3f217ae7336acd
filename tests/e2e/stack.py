"""A complete Norn as separate processes, for tests that kill them. Each process is started by the test, over the stores
of the tests.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import psycopg2.extras

from norn_tasks.embedded.keys import ensure_key
from norn_tasks.embedded.paths import data_paths, make
from norn_tasks.embedded.services import offer
from norn_tasks.settings import Settings
from norn_tasks.store.database.session import Database
from tests import forks
from tests.servers import Broker, allowed, free_port, wait_until

BIN = Path(sys.executable).parent
SERVERS = ("services-postgres", "services-kv")
CLASSES = ("invoke", "cron", "deploy", "observe")


class Stack:
    """API, a worker per class, scheduler ("beat") and router. `home` is the data directory, `apps` the directory of
    apps.
    """

    def __init__(self, home: Path, database_url: str, broker_url: str, **environment: str) -> None:
        self.home, self.apps = home, home / "apps"
        self.apps.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        first = free_port(51)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("NORN_")},
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "NORN_DATA_DIR": str(home), "NORN_APPS_DIR": str(self.apps), "NORN_DATABASE_URL": database_url,
            "NORN_BROKER_URL": broker_url, "NORN_PORT": str(self.port), "NORN_URL": self.url,
            "NORN_ROUTER_PORT_FIRST": str(first), "NORN_ROUTER_PORT_LAST": str(first + 50), "NO_COLOR": "1",
            "NORN_STAY_UP": "1", "NORN_WORKERS_INVOKE": "8", "NORN_WORKERS_CRON": "8",
            **environment,
        }  # fmt: skip
        self.database_url = database_url
        self.broker: Broker | None = None
        self.processes: dict[str, forks.Started] = {}

    def start(self, *names: str) -> None:
        """Starts processes by name: api, invoke, cron, deploy, observe, beat, router; all of them by default."""
        for name in names or ("api", *CLASSES, "beat", "router"):
            self.spawn(name)
        if not names or "api" in names:
            try:
                wait_until(self._answers, 120, "the API answers")
            except AssertionError as error:
                raise AssertionError(f"{error}\n{self.log('api')[-3000:]}") from error

    def keep_secrets(self) -> None:
        """Makes the key with which this Norn encrypts secrets, as its first start does."""
        database = Database(self.database_url, pool=1)
        ensure_key(database, Settings(data_dir=self.home))
        database.dispose()

    def serve_apps(self) -> None:
        """Starts the shared servers for apps, as the supervisor of `norn up` does."""
        self.home.chmod(0o700)
        where = data_paths(self.home)
        make(where)
        offer.programs(Settings(data_dir=self.home), where)
        for name in SERVERS:
            self.spawn(name)

    def admin_of(self, server: str) -> str:
        """Returns the URL with which workers manage a server of apps, once it has started."""
        return str(self._note_of(server)["url"])

    def addresses_of(self, server: str) -> list[str]:
        """Returns the addresses at which a server of apps listens, once it has started."""
        return list(map(str, self._note_of(server)["addresses"]))

    def port_of(self, server: str) -> int:
        """Returns the port at which a server of apps listens, once it has started."""
        return int(self._note_of(server)["port"])

    def _note_of(self, server: str) -> Any:
        note = self.home / "services" / f"{server}.json"
        wait_until(note.exists, allowed(60), f"{server} for apps starts")
        return json.loads(note.read_text())

    def spawn(
        self, kind: str, known_as: str = "", *, name: str = "", unnamed: bool = False, **environment: str
    ) -> forks.Started:
        """Starts one process, and returns it. A test refers to it as `known_as`, by default its kind.

        A worker calls itself `name`, by default `known_as`; if it is `unnamed`, it chooses its name itself.
        """
        known_as = known_as or kind
        argv = self.argv(kind, "" if unnamed else name or known_as)
        process = forks.start(argv, {**self.environment, **environment}, self.home, self.home / f"{known_as}.log")
        self.processes[known_as] = process
        return process

    def argv(self, name: str, known_as: str) -> list[str]:
        """Returns the command line of a process."""
        if name == "api":
            return [str(BIN / "gunicorn"), "norn_api.wsgi:application", "-k", "norn_api.heads.HeadsFirst",
                    "--workers", "1", "--threads", "600", "--bind", f"127.0.0.1:{self.port}",
                    "--graceful-timeout", "5"]  # fmt: skip
        if name == "beat":
            scheduler = "norn_tasks.scheduler.beat:NornScheduler"
            return [str(BIN / "celery"), "-A", "norn_tasks.celery_app", "beat", "-S", scheduler, "--pidfile="]
        if name in SERVERS:
            return [sys.executable, "-m", "norn_tasks.embedded.services.start", name.removeprefix("services-")]
        if name == "router":
            return [sys.executable, "-m", "norn_tasks.router"]
        called = ("-n", f"{known_as}@test") if known_as else ()
        return [str(BIN / "celery"), "-A", "norn_tasks.tasks", "worker", "-Q", name, *called, "-P", "threads"]

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/api/version", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Sends a signal to a process, by default SIGKILL; after SIGKILL, waits for the end of the process."""
        process = self.processes[name]
        process.send_signal(number)
        if number == signal.SIGKILL:
            process.wait(10)

    def kill_group(self, name: str) -> None:
        """Kills a process and its children immediately."""
        process = self.processes[name]
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    def stop(self) -> None:
        """Ends all processes that were started."""
        for process in self.processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGCONT)
                os.killpg(process.pid, signal.SIGKILL)
        for process in self.processes.values():
            process.wait(10)

    # Actions of a user

    def norn(self, *argv: str, check: bool = True, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Runs the installed `norn`. If `check` is true and it fails, the test fails with its output."""
        try:
            done = subprocess.run(
                [str(BIN / "norn"), *argv], env=self.environment, input=stdin, capture_output=True, timeout=180,
                check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"{error}\n{error.stderr!r}\n{self.last_words()}") from None
        if check:
            assert done.returncode == 0, f"norn {argv} exited {done.returncode}\n{done.stdout!r}\n{done.stderr!r}"
        return done

    def json(self, *argv: str) -> Any:
        """Runs `norn … -o json` and parses its output."""
        return json.loads(self.norn("-o", "json", *argv).stdout)

    def add_app(self, name: str, spec: str, files: Mapping[str, str]) -> Path:
        """Writes an app's directory."""
        directory = self.apps / name
        for path, text in {"infraspec.yaml": spec, **files}.items():
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / path).write_text(text)
        return directory

    # The rows of the database

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Returns the rows of a query."""
        connection = psycopg2.connect(self.database_url, cursor_factory=psycopg2.extras.RealDictCursor)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(query, values)
                return [dict(row) for row in cursor.fetchall()]
        finally:
            connection.close()

    def job(self, job: int) -> dict[str, Any]:
        """Returns a job's row."""
        return self.rows("SELECT * FROM jobs WHERE id = %s", job)[0]

    def await_state(self, job: int, states: Sequence[str], seconds: float) -> dict[str, Any]:
        """Waits until the job is in one of the states, and returns its row."""
        wait_until(lambda: self.job(job)["state"] in states, seconds, f"job {job} is {'/'.join(states)}")
        return self.job(job)

    def last_words(self) -> str:
        """Returns for each process whether it runs, and the end of its log, for the message of a failure."""
        ends = {name: process.poll() for name, process in self.processes.items()}
        return "\n".join(f"--- {name}, exit code {end}\n{self.log(name)[-1500:]}" for name, end in ends.items())

    def log(self, name: str) -> str:
        """Returns what a process has logged."""
        return (self.home / f"{name}.log").read_text("utf-8", "replace")


def seconds_since(start: float) -> float:
    """Returns the seconds since a time of `time.monotonic()`."""
    return time.monotonic() - start
