"""Starts PostgreSQL and a Redis-protocol broker of the tests' own: private directories, sockets and free ports."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import redis

from norn_tasks.embedded.stores import broker


def free_port() -> int:
    """Answers a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def allowed(seconds: float) -> float:
    """Answers a limit of the design as it is when a test runs alone, three times as long beside other tests.

    The figures are for two quiet cores: `pytest <file>` holds a test to them, `make test` runs four at once.
    """
    return seconds * (3 if "PYTEST_XDIST_WORKER" in os.environ else 1)


def wait_until(fact: Callable[[], object], seconds: float, what: str) -> None:
    """Waits until a fact holds; fails with its name when it does not in time."""
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end, f"{what}: not within {seconds:g} s"
        time.sleep(0.1)


def _postgres_bin() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    assert found, "these tests need PostgreSQL's server: apt-get install postgresql"
    return found[-1]


class Postgres:
    """A PostgreSQL server in `home`, on a loopback port, trusting everyone there. `more`: options of the server."""

    def __init__(self, home: Path, **more: str) -> None:
        self.home, self._more = home, more
        self.port = free_port()
        self.bin = _postgres_bin()
        self._as: dict[str, Any] = {} if os.geteuid() else {"user": "postgres", "group": "postgres", "extra_groups": []}
        home.mkdir(parents=True, exist_ok=True)
        if not os.geteuid():
            who = pwd.getpwnam("postgres")
            os.chown(home, who.pw_uid, who.pw_gid)
        self._run("initdb", "-D", home / "data", "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8")
        self.start()

    def _run(self, program: str, *args: object) -> None:
        subprocess.run(
            [str(self.bin / program), *map(str, args)], check=True, capture_output=True, cwd=self.home, **self._as
        )

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        options = {
            "port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off",
            "max_connections": 300, "shared_buffers": "64MB", "synchronous_commit": "on", **self._more,
        }  # fmt: skip
        argv = [str(self.bin / "postgres"), "-D", str(self.home / "data")]
        for name, value in options.items():
            argv += ["-c", f"{name}={value}"]
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=self.home, **self._as)
        wait_until(self._answers, 20, "PostgreSQL answers")

    def _answers(self) -> bool:
        try:
            psycopg2.connect(self.url("postgres"), connect_timeout=1).close()
        except psycopg2.OperationalError:
            return False
        return True

    def url(self, name: str) -> str:
        """Answers the URL of one of its databases."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def execute(self, statement: str) -> None:
        """Runs one statement outside any transaction."""
        connection = psycopg2.connect(self.url("postgres"))
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
        connection.close()

    @contextmanager
    def away(self, url: str) -> Iterator[None]:
        """Ends every connection to one of its databases, and lets nobody in until the block has ended."""
        name = url.rpartition("/")[2]
        self.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
        self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        try:
            yield
        finally:
            self.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")

    def stop(self) -> None:
        """Stops the server at once."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(20)


class Broker:
    """A valkey server on a loopback port that keeps nothing on disk."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        home.mkdir(parents=True, exist_ok=True)
        self.start()

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        argv = [
            str(broker.found()),
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=self.home)
        wait_until(self._answers, 10, "the broker answers")

    def _answers(self) -> bool:
        try:
            return bool(self.client().ping())
        except redis.RedisError:
            return False

    def client(self) -> redis.Redis:
        """Answers a client of the server."""
        return redis.Redis.from_url(self.url, socket_timeout=2, socket_connect_timeout=1)

    def stop(self) -> None:
        """Kills the server."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
