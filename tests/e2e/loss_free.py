"""Two clients at once against a webserver whose replicas change, and what they saw; for the short and the long proof.

Each sends so many requests a second whether or not the last ones were answered: one opens a connection for each, one
keeps ten alive. Every fifth is answered in two pieces with a while between, so that some are always beyond repeating.
Nothing is tried again: a refused or reset connection, an answer that is late, not whole or not 200 is a failure.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from tests.e2e.stack import Stack
from tests.router_kit import read_answer

RATE = 100
KEPT = 10
LATE_SECONDS = 10.0
APP = "loss"
ENVIRONMENT = {"NORN_ROLLOUT_TIMEOUT": "6"}
"""A release whose healthcheck answers badly is given up after so long."""

SPEC = f"app: {APP}\nrole: webserver\nport: 8080\nhealthcheck: /health\nreplicas: 2\n"
DOCKERFILE = 'FROM busybox:stable\nCOPY . /app\nCMD ["sh", "/app/serve.sh"]\n'
SERVE = """# Process 1: it exits at once on SIGTERM, and everything that is open breaks with it.
trap 'exit 0' TERM
read -r release < /app/release
echo "serving $release"
nc -ll -p 8080 -e /app/connection.sh &
wait
"""
CONNECTION = """#!/bin/sh
# One connection: request after request, as long as the other side keeps it; every answer names its release.
read -r release < /app/release
while read -r method path rest; do
  while read -r field && [ "${#field}" -gt 1 ]; do :; done
  status='200 OK'
  [ "$release $path" != 'broken /health' ] || status='500 Broken'
  printf 'HTTP/1.1 %s\\r\\nContent-Length: %d\\r\\n\\r\\n' "$status" "${#release}"
  [ "$path" != /slow ] || usleep 300000
  printf %s "$release"
done
"""

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Ask = Callable[[str], Awaitable[str]]


class Clients:
    """Both clients, on a thread of their own; `answers` counts by release, `failures` by what went wrong.

    `rate`: requests a second of each; `late`: seconds after which an answer is one; `kept`: connections that the second
    keeps; `name`: ask by TLS for this name.
    """

    def __init__(
        self, url: str, *, rate: int = RATE, late: float = LATE_SECONDS, kept: int = KEPT, name: str = ""
    ) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self._host, self._port = host, int(port)
        self.answers: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.slowest = 0.0
        self.open = 0
        """How many requests are on a connection, or open one."""
        self.kept = kept
        self._rate, self._late, self._name = rate, late, name
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._tls.check_hostname, self._tls.verify_mode = False, ssl.CERT_NONE
        self._over = threading.Event()

    @contextmanager
    def at_work(self) -> Iterator[Clients]:
        """They ask as long as the block lasts, and wait for their last answers."""
        thread = threading.Thread(target=lambda: asyncio.run(self._both()), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._over.set()
            thread.join(2 * self._late)

    @property
    def asked(self) -> int:
        """How many requests have had an end, good or bad."""
        return self.answers.total() + self.failures.total()

    def told(self) -> str:
        """Says in one line what they saw."""
        bad = dict(self.failures) or "none"
        return f"{self.asked} requests, failed: {bad}, slowest {self.slowest:.2f} s, answered by {dict(self.answers)}"

    async def _both(self) -> None:
        self._kept: asyncio.Queue[Connection | None] = asyncio.Queue()
        for _ in range(self.kept):
            self._kept.put_nowait(None)
        await asyncio.gather(self._paced(self._once), self._paced(self._on_a_kept_one))

    async def _paced(self, ask: Ask) -> None:
        begun, sent = time.monotonic(), 0
        async with asyncio.TaskGroup() as open_requests:
            while not self._over.is_set():
                await asyncio.sleep(max(0.0, begun + sent / self._rate - time.monotonic()))
                open_requests.create_task(self._counted(ask, "GET /slow" if sent % 5 == 0 else "GET /"))
                sent += 1

    async def _counted(self, ask: Ask, what: str) -> None:
        begun = time.monotonic()
        try:
            async with asyncio.timeout(self._late):
                self.answers[await ask(what)] += 1
        except (OSError, EOFError, TimeoutError, _Not200) as error:
            self.failures[repr(error)] += 1
        self.slowest = max(self.slowest, time.monotonic() - begun)

    async def _connected(self) -> Connection:
        if not self._name:
            return await asyncio.open_connection(self._host, self._port)
        return await asyncio.open_connection(self._host, self._port, ssl=self._tls, server_hostname=self._name)

    @contextmanager
    def _sending(self) -> Iterator[None]:
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1

    async def _once(self, what: str) -> str:
        with self._sending():
            connection = await self._connected()
            try:
                return await self._ask(connection, what)
            finally:
                connection[1].close()

    async def _on_a_kept_one(self, what: str) -> str:
        kept = await self._kept.get()
        try:
            with self._sending():
                connection, kept = kept or await self._connected(), None
                answer = await self._ask(connection, what)
            kept = connection
            return answer
        finally:
            self._kept.put_nowait(kept)

    async def _ask(self, connection: Connection, what: str) -> str:
        reader, writer = connection
        writer.write(f"{what} HTTP/1.1\r\nHost: {self._name or APP}\r\n\r\n".encode())
        answer = await read_answer(reader)
        if answer.status != 200:
            raise _Not200(answer.start, answer.body)
        return answer.body.decode()


class _Not200(Exception):
    """An answer with another status."""


class Story:
    """The app's life under load; every part ends with what it was to bring about, checked."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def first(self) -> str:
        """Forges and deploys the app; answers its URL."""
        self._write("release-0")
        self._stack.norn("forge", APP)
        self._stack.norn("deploy", APP)
        return str(self._stack.json("status", APP)["url"])

    def deploy(self, release: str) -> None:
        """Deploys another release."""
        self._write(release)
        self._stack.norn("deploy", APP)

    def fail(self) -> None:
        """Deploys a release that answers everything but its healthcheck."""
        self._write("broken")
        assert self._stack.norn("deploy", APP, check=False).returncode == 6

    def scale(self, replicas: int) -> None:
        """Scales it."""
        self._stack.norn("scale", APP, str(replicas))

    def roll_back(self) -> None:
        """Goes back to the release before."""
        self._stack.norn("rollback", APP)

    def settled(self) -> bool:
        """Returns True if nothing of the app is under way."""
        return not self._stack.rows("SELECT 1 FROM jobs WHERE app = %s AND state IN ('queued', 'running')", APP)

    def _write(self, release: str) -> None:
        files = {"Dockerfile": DOCKERFILE, "serve.sh": SERVE, "connection.sh": CONNECTION, "release": f"{release}\n"}
        directory = self._stack.add_app(APP, SPEC, files)
        (directory / "connection.sh").chmod(0o755)
