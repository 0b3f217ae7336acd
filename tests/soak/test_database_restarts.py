"""Databases with a lock on their volume are restarted and deployed again while clients write: no written row is lost.

One is Debian's PostgreSQL, reached at the address of its replica; one is a small program that holds `flock` on a file
of its volume and ends at once if another has it, reached through the router. Each write is counted when the database
has acknowledged it.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import docker
import httpx
import psycopg2
import pytest

from tests.e2e.stack import Stack
from tests.servers import wait_until

ENVIRONMENT = {"NORN_ROLLOUT_TIMEOUT": "60"}
WRITERS = 4
BETWEEN = 6.0
"""Seconds of writing between two changes."""
VOLUME = "volumes: [{name: data, mountPath: /data, size: 1g}]\nresources: {memory: 256m}\n"
POSTGRES = """FROM debian:bookworm-slim
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \\
    postgresql-15 >/dev/null && mkdir /data && chown postgres /data
COPY start.sh /start.sh
USER postgres
STOPSIGNAL SIGINT
CMD ["sh", "/start.sh"]
"""
START = """set -e
PATH=/usr/lib/postgresql/15/bin:$PATH
[ -s /data/pg/PG_VERSION ] || { initdb -D /data/pg -A trust -U postgres && echo host all all all trust >> /data/pg/pg_hba.conf; }
exec postgres -D /data/pg -c listen_addresses='*' -c unix_socket_directories=/tmp
"""  # noqa: E501
LOCKED = """import fcntl, http.server, os, sys

lock = open("/data/lock", "w")
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit("another has the lock of /data")
rows = open("/data/rows", "a+")


class Rows(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        os.write(rows.fileno(), self.path[1:].encode() + b"\\n")
        os.fsync(rows.fileno())
        self.answer(b"written")

    def do_GET(self):
        self.answer(open("/data/rows", "rb").read())

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Rows).serve_forever()
"""


class PostgresOnVolume:
    """Debian's PostgreSQL; clients connect to the address of the live replica."""

    name, port = "elephant", 5432

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        spec = f"app: {self.name}\nrole: webserver\nport: {self.port}\n{VOLUME}"
        stack.add_app(self.name, spec, {"Dockerfile": POSTGRES, "start.sh": START})

    def _connected(self) -> psycopg2.extensions.connection:
        [row] = self._stack.rows("SELECT address FROM replicas WHERE app = %s AND state = 'live'", self.name)
        host = str(row["address"]).partition(":")[0]
        return psycopg2.connect(host=host, port=self.port, user="postgres", dbname="postgres", connect_timeout=3)

    def prepare(self) -> None:
        """Makes the table."""
        with closing(self._connected()) as connection, connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE rows (id bigint)")

    def writer(self) -> Callable[[int], None]:
        """Returns a function that writes one row, and raises unless the database has acknowledged it."""
        held: list[psycopg2.extensions.connection] = []

        def write(number: int) -> None:
            if not held:
                held.append(self._connected())
            try:
                with held[0], held[0].cursor() as cursor:
                    cursor.execute("INSERT INTO rows VALUES (%s)", [number])
            except psycopg2.Error:
                held.pop().close()
                raise

        return write

    def rows(self) -> list[int]:
        """Returns the rows of the database."""
        with closing(self._connected()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT id FROM rows")
            return [int(row[0]) for row in cursor.fetchall()]


class LockedFile:
    """A program that holds `flock` on its volume, and confirms each write after fsync."""

    name, port = "padlock", 8080

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        spec = f"app: {self.name}\nrole: webserver\nport: {self.port}\n{VOLUME}"
        dockerfile = 'FROM python:3.11-slim\nCOPY s.py /\nCMD ["python3", "/s.py"]\n'
        stack.add_app(self.name, spec, {"Dockerfile": dockerfile, "s.py": LOCKED})

    @property
    def _url(self) -> str:
        return str(self._stack.json("status", self.name)["url"])

    def prepare(self) -> None:
        """Does nothing: this program needs no table."""

    def writer(self) -> Callable[[int], None]:
        """Returns a function that writes one row through the router."""
        client = httpx.Client(base_url=self._url, timeout=20)

        def write(number: int) -> None:
            client.post(f"/{number}").raise_for_status()

        return write

    def rows(self) -> list[int]:
        """Returns the rows of the program."""
        return [int(line) for line in httpx.get(self._url, timeout=20).text.split()]


Stored = PostgresOnVolume | LockedFile


class Writers:
    """Clients that write numbers until the block ends; `acknowledged` are those that the database has confirmed."""

    def __init__(self, database: Stored) -> None:
        self._database = database
        self.acknowledged: list[int] = []
        self.failures: Counter[str] = Counter()
        self.longest = 0.0
        self._numbers = itertools.count(1)
        self._over = threading.Event()

    @contextmanager
    def at_work(self) -> Iterator[Writers]:
        """Writes numbers during the block."""
        threads = [threading.Thread(target=self._write, daemon=True) for _ in range(WRITERS)]
        for each in threads:
            each.start()
        try:
            yield self
        finally:
            self._over.set()
            for each in threads:
                each.join(60)

    def _write(self) -> None:
        write, last = self._database.writer(), time.monotonic()
        while not self._over.is_set():
            number = next(self._numbers)
            try:
                write(number)
            except (psycopg2.Error, httpx.HTTPError, ValueError) as error:
                self.failures[type(error).__name__] += 1
                self._over.wait(0.1)
                continue
            self.acknowledged.append(number)
            self.longest, last = max(self.longest, time.monotonic() - last), time.monotonic()


def _kill(name: str, stack: Stack) -> None:
    """Kills the replica's container, as the kernel does if memory runs out."""
    client = docker.from_env()
    instance = stack.rows("SELECT name FROM instance")[0]["name"]
    for each in client.containers.list(filters={"label": [f"norn.io/app={name}", f"norn.io/instance={instance}"]}):
        each.kill()
    client.close()


def _changes(stack: Stack, name: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yields changes of the app by a user or by the machine."""
    directory = stack.apps / name
    spec, dockerfile = (directory / "infraspec.yaml").read_text(), (directory / "Dockerfile").read_text()

    def deploy(number: int) -> None:
        (directory / "infraspec.yaml").write_text(f"{spec}env: {{RELEASE: '{number}'}}\n")
        stack.norn("deploy", str(directory))

    def fail() -> None:
        (directory / "Dockerfile").write_text(f'{dockerfile}CMD ["sh", "-c", "echo not today; exit 3"]\n')
        assert stack.norn("deploy", str(directory), check=False).returncode != 0
        (directory / "Dockerfile").write_text(dockerfile)

    for number in range(1, 4):
        yield f"restart {number}", lambda: stack.norn("restart", name)
        yield f"deploy {number}", lambda number=number: deploy(number)  # type: ignore[misc]
        yield f"kill {number}", lambda: _kill(name, stack)
    yield "a deploy that fails", fail
    yield "rollback", lambda: stack.norn("rollback", name)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", [PostgresOnVolume, LockedFile])
def test_no_acknowledged_write_is_lost(stack: Stack, kind: type[Stored]) -> None:
    database = kind(stack)
    name = database.name
    stack.norn("deploy", str(stack.apps / name))
    database.prepare()
    writers = Writers(database)
    with writers.at_work():
        for change, act in _changes(stack, name):
            time.sleep(BETWEEN)
            begun, before = time.monotonic(), len(writers.acknowledged)
            act()
            took = time.monotonic() - begun
            wait_until(lambda: len(writers.acknowledged) > before + 20, 60, f"writes go on after {change}")  # noqa: B023
            print(f"\n{name}: {change} took {took:.1f} s, {len(writers.acknowledged)} rows acknowledged so far")
    stored = Counter(database.rows())
    lost = [number for number in writers.acknowledged if not stored[number]]
    twice = [number for number, times in stored.items() if times > 1]
    print(f"\n{name}: {len(writers.acknowledged)} acknowledged, {len(lost)} lost, {len(twice)} twice")
    print(f"refused: {dict(writers.failures)}; the longest pause of a writer took {writers.longest:.1f} s")
    assert (lost, twice) == ([], [])
    assert len(writers.acknowledged) > 1000
