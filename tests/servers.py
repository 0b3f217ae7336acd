"""Starts PostgreSQL and a broker with the Redis protocol for the tests: private directories, sockets and free ports."""

from __future__ import annotations

import fcntl
import os
import pwd
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import redis

from norn_tasks.embedded.stores import broker

PORTS = range(19000, 29000)
"""These ports are below the ports that the kernel gives to outgoing connections (`ip_local_port_range`), so that no
outgoing connection takes one.
"""


def free_port(count: int = 1) -> int:
    """Returns the first of `count` consecutive ports on which nothing listens, and which no other test of this machine
    gets soon.

    All test processes share a counter file: a test may take minutes until it listens on its port.
    """
    with (Path(tempfile.gettempdir()) / "norn-test-ports").open("a+") as counter:
        fcntl.flock(counter, fcntl.LOCK_EX)
        counter.seek(0)
        first = _first_free(int(counter.read() or PORTS.start), count)
        counter.truncate(0)
        counter.write(str(first + count))
    return first


def _first_free(start: int, count: int) -> int:
    """Returns the first port from `start` on at which `count` consecutive free ports begin; after the end of `PORTS`
    the search continues at its beginning.
    """
    tried = 0
    while tried < len(PORTS):
        if start + count > PORTS.stop:
            start = PORTS.start
        taken = next((port for port in range(start, start + count) if not _is_free(port)), None)
        if taken is None:
            return start
        tried += taken + 1 - start
        start = taken + 1
    raise AssertionError(f"no {count} free ports in a row among {PORTS.start} to {PORTS.stop - 1}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def allowed(seconds: float) -> float:
    """Returns a time limit of the design: unchanged if a test runs alone, three times as long if others run at the same
    time.

    The limits are for two quiet cores: `pytest <file>` applies them unchanged, `make test` runs four tests at the same
    time.
    """
    return seconds * (3 if "PYTEST_XDIST_WORKER" in os.environ else 1)


def wait_until(fact: Callable[[], object], seconds: float, what: str) -> None:
    """Waits until `fact` returns true; fails with the text `what` if that takes too long."""
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end, f"{what}: not within {seconds:g} s"
        time.sleep(0.1)


def _postgres_bin() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    assert found, "these tests need PostgreSQL's server: apt-get install postgresql"
    return found[-1]


class Postgres:
    """A PostgreSQL server in `home` on a loopback port, without passwords. `more`: options of the server."""

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
        """Returns the URL of one of its databases."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def execute(self, statement: str) -> None:
        """Runs one statement outside any transaction."""
        connection = psycopg2.connect(self.url("postgres"))
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
        connection.close()

    def copy_template(self, name: str) -> None:
        """Makes a database that is a copy of `template`."""
        self.execute(f"CREATE DATABASE {name} TEMPLATE template STRATEGY file_copy")

    @contextmanager
    def away(self, url: str) -> Iterator[None]:
        """Ends every connection to one of the databases, and refuses new ones until the block has ended."""
        name = url.rpartition("/")[2]
        self.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
        self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        try:
            yield
        finally:
            self.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")

    def stop(self) -> None:
        """Stops the server immediately."""
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
        """Returns a client of the server."""
        return redis.Redis.from_url(self.url, socket_timeout=2, socket_connect_timeout=1)

    def stop(self) -> None:
        """Kills the server."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
