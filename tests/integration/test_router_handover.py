"""A new router replaces a running one: no request fails, and open requests end in the router in which they began."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from norn_tasks.store.database.session import Database
from tests.router_kit import Message, Server, answer, ask, get, story, until
from tests.router_processes import Routers
from tests.servers import Postgres

AGAIN = "--take-over"


@pytest.fixture
def routers(database: Database, database_url: str, tmp_path: Path) -> Iterator[Routers]:
    routers = Routers(database, database_url, tmp_path)
    yield routers
    routers.end()


@pytest.fixture
def with_door(database: Database, database_url: str, tmp_path: Path) -> Iterator[Routers]:
    """Routers that also open the port for public names."""
    routers = Routers(database, database_url, tmp_path, door=True)
    yield routers
    routers.end()


async def started(routers: Routers, *words: str) -> int:
    """Starts a router; returns its number when it serves."""
    number = await asyncio.to_thread(routers.start, *words)
    await asyncio.to_thread(routers.logged, number, "blog: its address is open")
    return number


async def taken_over(routers: Routers) -> int:
    """Starts a router that replaces the running one; returns its number after it has done so."""
    number = await asyncio.to_thread(routers.start, AGAIN)
    await asyncio.to_thread(routers.logged, number, "has replaced another router")
    return number


class Asking:
    """A client that sends a request every few milliseconds. Without `keep` each request has a new connection; with it,
    only the request after a response that closes the connection.
    """

    def __init__(self, port: int, *, keep: bool) -> None:
        self.answered = 0
        self._port, self._keep = port, keep

    async def run(self, stop: asyncio.Event) -> None:
        """Sends requests until `stop`; any failure ends the client."""
        connection = None
        while not stop.is_set():
            reader, writer = connection or await asyncio.open_connection("127.0.0.1", self._port)
            got = await ask(reader, writer, "POST / HTTP/1.1", body=b"n=%d" % self.answered)
            assert (got.status, got.body) == (200, b"n=%d" % self.answered)
            self.answered += 1
            connection = (reader, writer)
            if not self._keep or got.all("Connection") == ["close"]:
                writer.close()
                connection = None
            await asyncio.sleep(0.002)


async def echo(request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(request.body))


@story
async def test_of_many_requests_none_fails_while_routers_take_over_from_each_other(routers: Routers) -> None:
    async with Server(echo) as server:
        await asyncio.to_thread(routers.live, server)
        numbers = [await started(routers)]
        await until_served(routers)
        stop, clients = asyncio.Event(), [Asking(routers.port, keep=n % 2 == 0) for n in range(8)]
        asking = [asyncio.create_task(client.run(stop)) for client in clients]
        for _ in range(3):
            numbers.append(await taken_over(routers))
        stop.set()
        await asyncio.gather(*asking)
        # `until_served` has sent the others
        assert len(server.heard) - sum(client.answered for client in clients) in (1, 2)
        ends = [await asyncio.to_thread(routers.ended, number) for number in numbers[:-1]]
        assert ends == [0, 0, 0]
        assert (await get(routers.port)).status == 200


@story
async def test_a_router_with_a_door_takes_over_only_when_it_knows_the_apps(
    with_door: Routers,
) -> None:
    routers = with_door
    async with Server(echo) as server:
        await asyncio.to_thread(routers.live, server)
        await started(routers)
        await until_served(routers)
        await until(routers.saved.exists, "the table is saved")
        stop = asyncio.Event()
        asking = asyncio.create_task(Asking(routers.port, keep=False).run(stop))
        with routers.slow_database():
            await taken_over(routers)
        stop.set()
        await asking


async def until_served(routers: Routers) -> None:
    for _ in range(500):
        if (await get(routers.port)).status == 200:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the replica is not served")


@story
async def test_an_open_request_ends_at_the_old_router_and_keeps_its_replica_from_being_drained(
    routers: Routers,
) -> None:
    go_on = asyncio.Event()

    async def act(request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if "slow" in request.start:
            await go_on.wait()
        writer.write(answer())

    async with Server(act) as old, Server() as new:
        await asyncio.to_thread(routers.live, old)
        first = await started(routers)
        await until_served(routers)
        slow = asyncio.create_task(get(routers.port, "/slow"))
        await until(lambda: any("slow" in request.start for request in old.heard), "the request is open")
        await taken_over(routers)
        await asyncio.to_thread(routers.live, new)
        await asyncio.to_thread(routers.leave, old)
        await until(lambda: new.heard or new_is_asked(routers), "the new router has read the change")
        await asyncio.sleep(2.5)  # both routers have read the rows by now
        assert not await asyncio.to_thread(routers.drained, old)
        go_on.set()
        assert (await slow).status == 200
        assert await asyncio.to_thread(routers.ended, first) == 0
        for _ in range(100):
            if await asyncio.to_thread(routers.drained, old):
                break
            await asyncio.sleep(0.1)
        assert await asyncio.to_thread(routers.drained, old)


def new_is_asked(routers: Routers) -> bool:
    """Starts a request without waiting for its response, and returns False: the next check sees which router got it."""
    asyncio.get_running_loop().create_task(get(routers.port))
    return False


@story
async def test_a_successor_serves_by_the_saved_table_while_the_database_is_away(
    routers: Routers, postgres: Postgres
) -> None:
    async with Server(echo) as server:
        await asyncio.to_thread(routers.live, server)
        first = await started(routers)
        await until_served(routers)
        await until(routers.saved.exists, "the table is saved")
        await asyncio.to_thread(postgres.stop)
        try:
            await taken_over(routers)
            assert (await get(routers.port)).status == 200
            assert await asyncio.to_thread(routers.ended, first) == 0
        finally:
            await asyncio.to_thread(postgres.start)


@story
async def test_take_over_without_a_router_is_a_usual_start(routers: Routers) -> None:
    await started(routers, AGAIN)
    assert (await get(routers.port)).status == 503


@story
async def test_connections_of_the_old_router_are_counted_with_those_of_the_new_one(routers: Routers) -> None:
    go_on = asyncio.Event()

    async def act(request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if "slow" in request.start:
            await go_on.wait()
        writer.write(answer())

    async with Server(act) as old, Server() as new:
        await asyncio.to_thread(routers.live, old)
        first = await started(routers)
        await until_served(routers)
        asking = [asyncio.create_task(get(routers.port, "/slow"))]
        await until(lambda: _slow(old) == 1, "the old router has an open request")
        await taken_over(routers)
        asking.append(asyncio.create_task(get(routers.port, "/slow")))
        await until(lambda: _slow(old) == 2, "the new router has an open request")
        await asyncio.to_thread(routers.live, new)
        await asyncio.to_thread(routers.drain, old)
        await _counted(routers, old, 2)
        assert not await asyncio.to_thread(routers.drained, old)
        go_on.set()
        assert [(await each).status for each in asking] == [200, 200]
        assert await asyncio.to_thread(routers.ended, first) == 0
        for _ in range(100):
            if await asyncio.to_thread(routers.drained, old):
                break
            await asyncio.sleep(0.1)
        assert await asyncio.to_thread(routers.drained, old)


def _slow(server: Server) -> int:
    return sum("slow" in request.start for request in server.heard)


async def _counted(routers: Routers, server: Server, count: int) -> None:
    """Waits until the row has this number of connections."""
    for _ in range(300):
        if await asyncio.to_thread(routers.connections, server) == count:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"the row never had {count} connections")
