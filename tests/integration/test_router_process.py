"""The router as a process of its own, with rows in PostgreSQL, and replicas that are added and removed as workers do
that.
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.jobs.replica import Replica, ReplicaState
from norn_tasks.store.database.session import Database
from norn_tasks.store.replicas import routes
from norn_tasks.store_adapters.replicas import ReplicaTable
from tests.router_kit import Message, Server, answer, ask, get, read_head, story, until
from tests.servers import Postgres, free_port, wait_until

MIB = 2**20


class World:
    """An app with an address, the rows as a worker writes them, and a router process."""

    def __init__(self, database: Database, url: str) -> None:
        self.database = database
        self.table = ReplicaTable(database)
        self.port = free_port()
        self.fence = self._accept()
        self._url = url
        self.process = self.start()

    def _accept(self) -> Fence:
        with self.database.transaction() as tx:
            routes.reserve_address(tx, "blog", self.port, self.port)
            job = tx.scalar(
                text(
                    "INSERT INTO jobs (kind, class, app, exclusive, state, actor, lease_token)"
                    " VALUES ('deploy', 'deploy', 'blog', true, 'running', 'test', 1) RETURNING id"
                )
            )
        return Fence(int(job or 0), 1)

    def start(self) -> subprocess.Popen[bytes]:
        """Starts the router and waits until it listens."""
        environ = {**os.environ, "NORN_DATABASE_URL": self._url}
        self.process = subprocess.Popen([sys.executable, "-m", "norn_tasks.router"], env=environ)
        wait_until(self._listens, 15, "the router listens")
        return self.process

    def _listens(self) -> bool:
        silent = self.address().silent
        return silent is not None and silent < 5

    def address(self) -> routes.Listening:
        """Returns the row about the app's address."""
        with self.database.transaction() as tx:
            return routes.addresses(tx)[0]

    def bring(self, server: Server) -> None:
        """Makes a server a live replica, as a rollout does."""
        container = server.target.container
        self.table.starting(Replica(container, "blog", 1, 1, ReplicaState.STARTING), self.fence)
        self.table.live(container, server.target.address, self.fence)

    def take(self, server: Server) -> None:
        """Takes a replica out of the routes, and waits until it is drained: the first two of the three changes that end
        it.
        """
        self.table.leaving(server.target.container, self.fence)
        wait_until(lambda: self.table.drained(server.target.container), 10, "it is drained")

    def stop(self) -> int:
        """Ends the router as a supervisor does; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)


@pytest.fixture
def world(database: Database, database_url: str) -> Iterator[World]:
    world = World(database, database_url)
    yield world
    if world.process.poll() is None:
        world.process.kill()
        world.process.wait(10)


async def serving(world: World, *servers: Server) -> None:
    """Makes the servers live replicas, and waits until the router sends requests to them."""
    for server in servers:
        await server.__aenter__()
        await asyncio.to_thread(world.bring, server)
    for _ in range(500):
        if (await get(world.port)).status == 200:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the router does not send to the new replicas")


class Client:
    """Sends requests until it is stopped, and counts them; any failure fails the test."""

    def __init__(self, port: int, *, keep: bool) -> None:
        self.answered = 0
        self._port = port
        self._keep = keep

    async def run(self, stop: asyncio.Event) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        while not stop.is_set():
            got = await ask(reader, writer, "POST / HTTP/1.1", body=b"n=%d" % self.answered)
            assert (got.status, got.body) == (200, b"n=%d" % self.answered)
            self.answered += 1
            if not self._keep:
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            await asyncio.sleep(0.002)
        writer.close()


def busy(server: Server) -> bool:
    return len(server.heard) > 20


async def echo(request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0.01)
    writer.write(answer(request.body))


@story
async def test_of_thousands_of_requests_none_fails_and_none_is_sent_twice_while_replicas_come_and_go(
    world: World,
) -> None:
    """Each replaced replica closes all its connections as soon as it is drained, so a request that it still had would
    be lost.
    """
    servers = [Server(echo) for _ in range(22)]
    live = servers[:2]
    await serving(world, *live)
    stop = asyncio.Event()
    clients = [Client(world.port, keep=n % 2 == 0) for n in range(16)]
    running = [asyncio.create_task(client.run(stop)) for client in clients]
    for new in servers[2:]:
        await new.__aenter__()
        await asyncio.to_thread(world.bring, new)
        await until(functools.partial(busy, new), "the new replica has requests")
        old = live.pop(0)
        await asyncio.to_thread(world.take, old)
        await old.__aexit__()
        await asyncio.to_thread(world.table.gone, old.target.container, world.fence)
        live.append(new)
    await until(
        lambda: sum(client.answered for client in clients) > 3000 or any(t.done() for t in running), "3,000", 30
    )
    stop.set()
    await asyncio.gather(*running)
    posts = [request for server in servers for request in server.heard if request.start.startswith("POST")]
    assert len(posts) == sum(client.answered for client in clients)
    for server in live:
        await server.__aexit__()


@story
async def test_a_change_of_rows_is_heard_at_once(world: World) -> None:
    one, other = Server(), Server()
    await serving(world, one)
    await other.__aenter__()
    begun = asyncio.get_running_loop().time()
    await asyncio.to_thread(world.bring, other)
    await asyncio.to_thread(world.take, one)
    assert asyncio.get_running_loop().time() - begun < 1
    assert (await get(world.port)).status == 200
    assert other.heard
    for server in (one, other):
        await server.__aexit__()


@story
async def test_while_the_database_is_away_requests_are_served(world: World, postgres: Postgres) -> None:
    server, later = Server(), Server()
    await serving(world, server)
    await asyncio.to_thread(postgres.stop)
    assert [(await get(world.port)).status for _ in range(200)] == [200] * 200
    await asyncio.to_thread(postgres.start)
    await later.__aenter__()
    await asyncio.to_thread(world.bring, later)
    await asyncio.to_thread(world.take, server)
    assert (await get(world.port)).status == 200
    assert later.heard
    for each in (server, later):
        await each.__aexit__()


@story
async def test_a_replica_that_left_while_no_router_ran_is_drained_by_the_next(world: World) -> None:
    server = Server()
    await serving(world, server)
    world.process.kill()
    world.process.wait()
    await asyncio.to_thread(world.table.leaving, server.target.container, world.fence)
    await asyncio.to_thread(world.start)
    await until_thread(lambda: world.table.drained(server.target.container), "it is drained")
    assert (await get(world.port)).status == 503
    await server.__aexit__()


async def until_thread(fact: Callable[[], object], what: str) -> None:
    await asyncio.to_thread(wait_until, fact, 10, what)


@story
async def test_a_taken_port_stands_in_the_rows_until_it_is_free(world: World) -> None:
    assert world.stop() == 0
    other = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", world.port)
    environ = {**os.environ, "NORN_DATABASE_URL": world._url}
    world.process = subprocess.Popen([sys.executable, "-m", "norn_tasks.router"], env=environ)
    await until_thread(lambda: world.address().error, "the error is told")
    assert world.address().error == f"port {world.port} is taken by another program"
    other.close()
    await until_thread(lambda: world.address().error is None, "it is open")
    assert (await get(world.port)).status == 503


@story
async def test_sigterm_lets_an_open_request_end(world: World) -> None:
    go_on = asyncio.Event()

    async def act(request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await go_on.wait() if "slow" in request.start else None
        writer.write(answer())

    server = Server(act)
    await serving(world, server)
    slow = asyncio.create_task(get(world.port, "/slow"))
    await until(lambda: any("slow" in request.start for request in server.heard), "the request is open")
    world.process.send_signal(signal.SIGTERM)
    await until_refused(world.port)
    go_on.set()
    assert (await slow).status == 200
    assert await asyncio.to_thread(world.process.wait, 10) == 0
    await server.__aexit__()


async def until_refused(port: int) -> None:
    """Connects until the port refuses; a connection that waits while the port closes is reset."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            pass
        await asyncio.sleep(0.01)


def peak_memory(process: subprocess.Popen[bytes]) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


@story
async def test_large_bodies_both_ways_take_little_memory(world: World) -> None:
    size = 50 * MIB
    piece = bytes(64 * 1024)

    async def act(request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % int((request.all("Content-Length") or ["0"])[0])
        )
        left = int((request.all("Content-Length") or ["0"])[0])
        while left:
            data = await reader.read(65536)
            left -= len(data)
            writer.write(data)
            await writer.drain()

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
        sending = asyncio.create_task(send(writer))
        await read_head(reader)
        left = size
        while left:
            left -= len(await reader.read(65536))
        await sending
        writer.close()

    async def send(writer: asyncio.StreamWriter) -> None:
        for _ in range(size // len(piece)):
            writer.write(piece)
            await writer.drain()

    server = Server(act, heads_only=True)
    await serving(world, server)
    before = peak_memory(world.process)
    await asyncio.gather(*(one() for _ in range(4)))
    assert peak_memory(world.process) - before < 20 * MIB
    await server.__aexit__()


def test_without_a_database_it_says_what_to_set() -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("NORN_")}
    ended = subprocess.run(
        [sys.executable, "-m", "norn_tasks.router"], env=environ, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr.splitlines()[0]) == (
        2,
        "error: the router needs a database [invalid_request]",
    )
