"""Two clients send requests to a webserver while its replicas change, and count failures; used by a short end-to-end
test and a long soak test.

Each sends a fixed number of requests per second, even if earlier ones have no response yet. One client opens a
connection for each request, the other keeps ten open. Every fifth response comes in two parts with a pause between
them, so that some requests can never be repeated. No request is sent again: a refused or reset connection, and a
response that is late, incomplete or not 200, is a failure.
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
"""A rollout gives up a release whose healthcheck fails for this many seconds."""

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
    """Both clients, on a thread of their own. `answers` counts responses by release, `failures` counts failures by
    cause.

    `rate`: requests per second of each client; `late`: seconds after which a response is late; `kept`: connections that
    the second client keeps open; `name`: the host name for TLS.
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
        """The number of requests that have no response yet."""
        self.kept = kept
        self._rate, self._late, self._name = rate, late, name
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._tls.check_hostname, self._tls.verify_mode = False, ssl.CERT_NONE
        self._over = threading.Event()

    @contextmanager
    def at_work(self) -> Iterator[Clients]:
        """Runs the clients during the block, and waits for their last responses."""
        thread = threading.Thread(target=lambda: asyncio.run(self._both()), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._over.set()
            thread.join(2 * self._late)

    @property
    def asked(self) -> int:
        """The number of requests that have ended, whether they succeeded or failed."""
        return self.answers.total() + self.failures.total()

    def told(self) -> str:
        """Returns the results in one line."""
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
    """A response with another status than 200."""


class Story:
    """Changes the app under load. Each method checks that its change took effect."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def first(self) -> str:
        """Forges and deploys the app; returns its URL."""
        self._write("release-0")
        self._stack.norn("forge", APP)
        self._stack.norn("deploy", APP)
        return str(self._stack.json("status", APP)["url"])

    def deploy(self, release: str) -> None:
        """Deploys another release."""
        self._write(release)
        self._stack.norn("deploy", APP)

    def fail(self) -> None:
        """Deploys a release whose healthcheck fails."""
        self._write("broken")
        assert self._stack.norn("deploy", APP, check=False).returncode == 6

    def scale(self, replicas: int) -> None:
        """Changes the number of replicas."""
        self._stack.norn("scale", APP, str(replicas))

    def roll_back(self) -> None:
        """Rolls back to the previous release."""
        self._stack.norn("rollback", APP)

    def settled(self) -> bool:
        """Returns True if no job of the app is queued or running."""
        return not self._stack.rows("SELECT 1 FROM jobs WHERE app = %s AND state IN ('queued', 'running')", APP)

    def _write(self, release: str) -> None:
        files = {"Dockerfile": DOCKERFILE, "serve.sh": SERVE, "connection.sh": CONNECTION, "release": f"{release}\n"}
        directory = self._stack.add_app(APP, SPEC, files)
        (directory / "connection.sh").chmod(0o755)
