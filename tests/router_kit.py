"""The parts of the router's tests: servers whose behaviour the test sets, a client that shows raw messages, and a
router between them.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvloop

from norn_tasks.router.clients import ClientLimits
from norn_tasks.router.ports import Ports
from norn_tasks.router.table import Table
from norn_tasks.store.replicas.routes import Route, Routes, Target
from tests.servers import free_port

Fields = list[tuple[str, str]]


LOOPS: tuple[Callable[[], asyncio.AbstractEventLoop], ...] = (asyncio.new_event_loop, uvloop.new_event_loop)
"""Both event loops that the router can have: it uses uvloop's where uvloop is installed, else asyncio's."""


def story(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Runs an async test to its end on each event loop, within a minute each; a test with fixtures runs on uvloop
    alone.
    """

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        async def within() -> None:
            async with asyncio.timeout(60):
                await test(*args, **kwargs)

        plain = all(isinstance(value, str | bytes | int) or callable(value) for value in kwargs.values())
        for new_loop in LOOPS if plain else LOOPS[-1:]:
            with asyncio.Runner(loop_factory=new_loop) as runner:
                runner.run(within())

    return run


async def until(fact: Callable[[], object], what: str, seconds: float = 10) -> None:
    """Waits until `fact` returns true; fails with the text `what` if that takes too long."""
    end = asyncio.get_running_loop().time() + seconds
    while not fact():
        assert asyncio.get_running_loop().time() < end, f"{what}: not within {seconds:g} s"
        await asyncio.sleep(0.01)


# Raw HTTP


@dataclass(frozen=True)
class Message:
    """A request or a response as raw HTTP."""

    start: str
    fields: Fields
    body: bytes = b""
    trailers: Fields = field(default_factory=list)
    connection: int = 0

    @property
    def status(self) -> int:
        """The status of a response."""
        return int(self.start.split(" ")[1])

    def all(self, name: str) -> list[str]:
        """Returns the values of a field, in order."""
        return [value for given, value in self.fields if given.lower() == name.lower()]


async def read_head(reader: asyncio.StreamReader) -> Message:
    """Reads start line and fields; raises IncompleteReadError at the end of the stream."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
    return Message(lines[0], _fields(lines[1:]))


async def read_request(reader: asyncio.StreamReader) -> Message:
    """Reads a complete request."""
    head = await read_head(reader)
    body, trailers = await _body(reader, head, to_the_end=False)
    return Message(head.start, head.fields, body, trailers)


async def read_answer(reader: asyncio.StreamReader, method: str = "GET") -> Message:
    """Reads a complete response to a request with this method."""
    head = await read_head(reader)
    if method == "HEAD" or head.status in (204, 304) or head.status < 200:
        return head
    body, trailers = await _body(reader, head, to_the_end=True)
    return Message(head.start, head.fields, body, trailers)


def _fields(lines: list[str]) -> Fields:
    split = [line.partition(":") for line in lines]
    return [(name, value.strip()) for name, _, value in split]


async def _body(reader: asyncio.StreamReader, head: Message, *, to_the_end: bool) -> tuple[bytes, Fields]:
    if head.all("Transfer-Encoding") == ["chunked"]:
        return await _chunks(reader)
    if lengths := head.all("Content-Length"):
        return await reader.readexactly(int(lengths[0])), []
    return (await reader.read() if to_the_end else b""), []


async def _chunks(reader: asyncio.StreamReader) -> tuple[bytes, Fields]:
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    lines = []
    while (line := (await reader.readline()).decode().strip()) != "":
        lines.append(line)
    return body, _fields(lines)


def answer(body: bytes = b"ok", *fields: str, status: str = "200 OK") -> bytes:
    """Returns the bytes of a response with a length."""
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields])
    return head.encode("latin-1") + b"\r\n\r\n" + body


# Servers


Act = Callable[["Message", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def say_ok(request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Responds with 200."""
    writer.write(answer())


class Server:
    """A server that reads complete requests and handles each one by `act`. With `heads_only`, `act` itself reads the
    body.
    """

    def __init__(self, act: Act = say_ok, *, heads_only: bool = False) -> None:
        self.port = free_port()
        self.heard: list[Message] = []
        self.connections = 0
        self.open = 0
        self._act = act
        self._read = read_head if heads_only else read_request
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def target(self) -> Target:
        """This server as a replica in the routing table."""
        return Target(f"c{self.port}", f"127.0.0.1:{self.port}")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        number = self.connections
        self._writers.add(writer)
        try:
            while not writer.is_closing():
                seen = await self._read(reader)
                request = Message(seen.start, seen.fields, seen.body, seen.trailers, number)
                self.heard.append(request)
                await self._act(request, reader, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            self._writers.discard(writer)
            writer.close()

    async def __aenter__(self) -> Server:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=2**20, backlog=512)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()


# The router between client and servers


class Stage:
    """A router with the routes and ports of one app `blog`, without a database. `drained` collects the replicas that
    the router would mark as drained.
    """

    def __init__(self, connections: int = 100_000) -> None:
        self.port = free_port()
        self.drained: list[str] = []
        self.reports: list[tuple[str, str | None]] = []
        self.table = Table(self.drained.append)
        self.ports = Ports("127.0.0.1", self.table, self._report, ClientLimits(connections, 120, 30))

    def _report(self, app: str, error: str | None) -> None:
        self.reports.append((app, error))

    async def show(self, *live: Server, leaving: tuple[Server, ...] = (), **facts: Any) -> None:
        """Sets the routes: which replicas are live, and which are leaving."""
        facts = {"release": 1, "wanted": len(live), **facts}
        route = Route("blog", self.port, tuple(server.target for server in live), **facts)
        self.table.apply(Routes((route,), frozenset(server.target.container for server in leaving)))
        await self.ports.open_for((route,))

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Opens a client's connection."""
        return await asyncio.open_connection("127.0.0.1", self.port, limit=2**20)

    async def ask(self, request: str = "GET / HTTP/1.1", *fields: str, body: bytes = b"") -> Message:
        """Sends one request on a new connection, and reads the response."""
        reader, writer = await self.connect()
        try:
            return await ask(reader, writer, request, *fields, body=body)
        finally:
            writer.close()


async def ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: str, *fields: str, body: bytes = b""
) -> Message:
    """Sends one request, with the fields Host and Content-Length if needed, and reads the response."""
    hosted = "1.0" in request or any(field.lower().startswith("host:") for field in fields)
    lines = [request, *(() if hosted else ("Host: blog.test",)), *fields]
    if body and not any("Transfer-Encoding" in line for line in fields):
        lines.append(f"Content-Length: {len(body)}")
    writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
    return await read_answer(reader, request.split(" ")[0])


async def get(port: int, path: str = "/") -> Message:
    """Sends one GET on a new connection, and reads the response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return await ask(reader, writer, f"GET {path} HTTP/1.1")
    finally:
        writer.close()


@asynccontextmanager
async def stage(
    *live: Server, others: tuple[Server, ...] = (), connections: int = 100_000, **facts: Any
) -> AsyncIterator[Stage]:
    """Yields a router in front of these servers, all running. The servers in `others` run too, but are not replicas
    yet.
    """
    between = Stage(connections)
    for server in live + others:
        await server.__aenter__()
    await between.show(*live, **facts)
    try:
        yield between
    finally:
        await between.ports.close(1)
        between.table.close()
        for server in live + others:
            await server.__aexit__()
