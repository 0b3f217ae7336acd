"""An app with a WebSocket and an event stream, and clients that number their messages; for a short end-to-end test and
a long soak test.

The WebSocket echoes numbers that its client sends; the event stream has numbers of its own. Each answer also names the
release of the replica. So a lost or doubled message, a reconnect and a wrong replica all show.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.e2e.stack import Stack
from tests.router_kit import Message, read_answer, read_head
from tests.servers import wait_until

ACCEPTED = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""The answer to the key of RFC 6455, section 1.3."""
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
PAUSE = 0.1
"""Seconds between two messages of a WebSocket."""
EACH_SECONDS = 20
"""Seconds within which the next message of a stream must come."""

DOCKERFILE = 'FROM busybox:stable\nCOPY . /app\nCMD ["sh", "/app/serve.sh"]\n'
SERVE = """# Process 1: it exits at once on SIGTERM, and everything that is open breaks with it.
trap 'exit 0' TERM
read -r release < /app/release
echo "serving $release"
nc -ll -p 8080 -e /app/connection.sh &
wait
"""
CONNECTION = r"""#!/bin/sh
# One request: a WebSocket whose client sends frames of four characters with a zero mask, an event stream, or a page.
read -r release < /app/release
read -r method path rest
while read -r field value && [ "${#field}" -gt 1 ]; do
  case $field in [Ss]ec-[Ww]eb[Ss]ocket-[Kk]ey:) key=${value%?} ;; esac
done
case $path in
/ws)
  accept=$(printf %s258EAFA5-E914-47DA-95CA-C5AB0DC85B11 "$key" | sha1sum | cut -c 1-40 | xxd -r -p | base64)
  printf 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
  printf 'Sec-WebSocket-Accept: %s\r\n\r\n' "$accept"
  while true; do
    frame=$(dd bs=1 count=10 2>/dev/null | tail -c 4)
    [ "${#frame}" -eq 4 ] || exit 0
    answer="$frame $release"
    printf "\201\\$(printf %o "${#answer}")%s" "$answer"
  done ;;
/events)
  printf 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n'
  n=0
  while printf 'id: %d\ndata: %s\n\n' "$n" "$release"; do
    n=$((n + 1))
    usleep 100000
  done ;;
*)
  printf 'HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s' "${#release}" "$release" ;;
esac
"""

Opened = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def spec_of(app: str, more: str = "") -> str:
    """The infraspec of the app."""
    return f"app: {app}\nrole: webserver\nport: 8080\nhealth: {{path: /health, startPeriod: 60s}}\n{more}"


def write(stack: Stack, app: str, release: int, more: str = "") -> None:
    """Writes the directory of the app for a release; this release answers requests with its number."""
    files = {"Dockerfile": DOCKERFILE, "serve.sh": SERVE, "connection.sh": CONNECTION, "release": f"{release}\n"}
    directory = stack.add_app(app, spec_of(app, more), files)
    (directory / "connection.sh").chmod(0o755)


def deploy(stack: Stack, app: str, release: int, more: str = "") -> None:
    """Deploys a release of the app, and waits for the end of the deploy."""
    write(stack, app, release, more)
    stack.norn("deploy", app)


@dataclass(frozen=True)
class Door:
    """The address at which an app is reached: a port, or with `name` a port that serves this host name over TLS."""

    port: int
    name: str = ""

    async def open(self) -> Opened:
        """Opens a connection."""
        if not self.name:
            return await asyncio.open_connection("127.0.0.1", self.port)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=tls, server_hostname=self.name)

    async def ask(self, path: str, *fields: str) -> tuple[Opened, Message]:
        """Sends a request; returns the connection and the head of the answer."""
        opened = await self.open()
        lines = [f"GET {path} HTTP/1.1", f"Host: {self.name or 'app'}", *fields, "", ""]
        opened[1].write("\r\n".join(lines).encode())
        return opened, await read_head(opened[0])

    async def release(self) -> str:
        """Returns the release that answers a new request."""
        reader, writer = await self.open()
        writer.write(f"GET / HTTP/1.1\r\nHost: {self.name or 'app'}\r\n\r\n".encode())
        try:
            return (await read_answer(reader)).body.decode()
        finally:
            writer.close()


@dataclass
class Stream:
    """A stream of one client: how many messages came, from which releases, and why it ended."""

    title: str
    messages: int = 0
    releases: set[str] = field(default_factory=set)
    fault: str = ""

    def took(self, number: int, release: str) -> None:
        """Counts a message; raises AssertionError if it is not the next one."""
        if number != self.messages:
            raise AssertionError(f"message {number} came instead of {self.messages}")
        self.messages += 1
        self.releases.add(release)

    def told(self) -> str:
        """Returns in one line what the stream has received."""
        return f"{self.title}: {self.messages} messages of release {sorted(self.releases)}, {self.fault or 'open'}"


class Streams:
    """A WebSocket and an event stream to each door; a thread of its own serves all of them."""

    def __init__(self, doors: Sequence[Door]) -> None:
        self._doors = doors
        self._loop = asyncio.new_event_loop()
        self._tasks: dict[int, list[asyncio.Task[None]]] = {}
        self.of: list[tuple[Stream, Stream]] = []
        """The two streams to each door."""

    @contextmanager
    def open(self) -> Iterator[Streams]:
        """Opens the streams, and closes them when the block ends."""
        thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        try:
            for n, door in enumerate(self._doors):
                pair = Stream(f"WebSocket to {door.name or door.port}"), Stream(f"events of {door.name or door.port}")
                self.of.append(pair)
                self._tasks[n] = [
                    asyncio.run_coroutine_threadsafe(self._begun(work(door, stream), stream), self._loop).result(60)
                    for work, stream in zip((_socket, _events), pair, strict=True)
                ]
                self.go_on(n)
            yield self
        finally:
            for n in self._tasks:
                self.close(n)
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(10)

    async def _begun(self, work: Awaitable[None], stream: Stream) -> asyncio.Task[None]:
        async def run() -> None:
            try:
                await work
            except asyncio.CancelledError:
                stream.fault = "closed by its client"
                raise
            except (OSError, EOFError, TimeoutError, AssertionError) as error:
                stream.fault = f"{type(error).__name__}: {error}"

        return asyncio.create_task(run())

    def go_on(self, number: int) -> None:
        """Waits until both streams to a door have three more messages; fails if one has ended."""
        for stream in self.of[number]:
            before = stream.messages
            wait_until(lambda s=stream, b=before: s.messages >= b + 3 or s.fault, 60, stream.title)  # type: ignore[misc]
            assert not stream.fault, stream.told()

    def close(self, number: int) -> None:
        """Ends both streams to a door, as a client that leaves does."""
        for task in self._tasks[number]:
            self._loop.call_soon_threadsafe(task.cancel)
        wait_until(lambda: all(task.done() for task in self._tasks[number]), 10, "the streams are closed")

    def told(self) -> str:
        """Returns a line for each stream about what it has received."""
        return "\n".join(stream.told() for pair in self.of for stream in pair)

    def ask(self, number: int) -> str:
        """Sends a new request to a door; returns the release that answers."""
        return asyncio.run_coroutine_threadsafe(self._doors[number].release(), self._loop).result(30)


async def _socket(door: Door, stream: Stream) -> None:
    """Sends numbers, and expects each of them back before the next one is sent."""
    upgrade = ("Connection: Upgrade", "Upgrade: websocket", f"Sec-WebSocket-Key: {KEY}", "Sec-WebSocket-Version: 13")
    (reader, writer), head = await door.ask("/ws", *upgrade)
    assert (head.status, head.all("Sec-WebSocket-Accept")) == (101, [ACCEPTED]), head
    try:
        while True:
            writer.write(b"\x81\x84\0\0\0\0%04d" % stream.messages)
            async with asyncio.timeout(EACH_SECONDS):
                first, length = await reader.readexactly(2)
                number, _, release = (await reader.readexactly(length)).decode().partition(" ")
            assert first == 0x81, first
            stream.took(int(number), release)
            await asyncio.sleep(PAUSE)
    finally:
        writer.close()


async def _events(door: Door, stream: Stream) -> None:
    """Reads numbered events."""
    (reader, writer), head = await door.ask("/events")
    assert head.status == 200, head
    chunked = "chunked" in "".join(head.all("Transfer-Encoding"))
    read = _unchunked(reader) if chunked else _plain(reader)
    buffer = b""
    try:
        while True:
            while b"\n\n" not in buffer:
                async with asyncio.timeout(EACH_SECONDS):
                    buffer += await read()
            event, _, buffer = buffer.partition(b"\n\n")
            first, second = event.decode().split("\n")
            stream.took(int(first.removeprefix("id: ")), second.removeprefix("data: "))
    finally:
        writer.close()


Read = Callable[[], Awaitable[bytes]]


def _unchunked(reader: asyncio.StreamReader) -> Read:
    async def read() -> bytes:
        size = int((await reader.readuntil(b"\r\n")).strip(), 16)
        data = (await reader.readexactly(size + 2))[:-2]
        if not size:
            raise EOFError("the events ended")
        return data

    return read


def _plain(reader: asyncio.StreamReader) -> Read:
    async def read() -> bytes:
        data = await reader.read(4096)
        if not data:
            raise EOFError("the events ended")
        return data

    return read
