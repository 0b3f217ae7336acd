"""Replicas and listening ports of apps come and go: where requests are sent, which errors clients get, and when a
replica counts as drained.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket

import pytest

from norn_tasks.store.replicas.routes import Route, Routes
from tests.router_kit import Message, Server, Stage, answer, ask, read_answer, read_head, stage, story, until
from tests.servers import free_port

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"


class Gate(Server):
    """A server whose responses wait until the test opens the gate; each response is the server's port."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        super().__init__(self._when_open)

    async def _when_open(self, request: Message, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.opened.wait()
        writer.write(answer(str(self.port).encode()))


@story
async def test_an_app_without_a_live_replica_answers_503_with_its_state() -> None:
    async with stage(release=None, wanted=2) as router:
        got = await router.ask()
        assert (got.status, got.body) == (503, b"blog is forged and has no live release yet\n")
        assert got.all("Retry-After") == ["2"]
        assert got.all("Content-Type") == ["text/plain; charset=utf-8"]
        await router.show(release=4, wanted=2)
        assert (await router.ask()).body == b"blog: 0 of 2 replicas are ready\n"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@story
async def test_a_connection_outlives_a_503(method: str) -> None:
    async with stage() as router:
        reader, writer = await router.connect()
        body = b"x" * 1000 if method == "POST" else b""
        for _ in range(3):
            assert (await ask(reader, writer, f"{method} / HTTP/1.1", body=body)).status == 503
        writer.close()


@story
async def test_a_leaving_replica_ends_what_it_has_and_gets_nothing_new() -> None:
    leaving, staying = Gate(), Gate()
    staying.opened.set()
    async with stage(leaving, others=(staying,)) as router:
        open_one = asyncio.create_task(router.ask())
        await until(lambda: leaving.heard, "the request is open")
        await router.show(staying, leaving=(leaving,))
        for _ in range(20):
            assert (await router.ask()).body == str(staying.port).encode()
        assert router.drained == []
        leaving.opened.set()
        assert (await open_one).body == str(leaving.port).encode()
        await until(lambda: router.drained == [leaving.target.container], "it is drained")
        await until(lambda: not leaving.open, "no connection is kept to it", 2)


@story
async def test_an_upgraded_connection_is_an_open_request() -> None:
    async def act(request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SWITCH)
        await reader.read()
        writer.close()

    leaving = Server(act)
    async with stage(leaving) as router:
        reader, writer = await router.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        await read_head(reader)
        await router.show(leaving=(leaving,))
        assert router.drained == []
        writer.close()
        await until(lambda: router.drained, "it is drained")


@story
async def test_idle_connections_to_a_leaving_replica_are_closed() -> None:
    leaving = Server()
    async with stage(leaving) as router:
        await router.ask()
        assert leaving.open == 1
        await router.show(leaving=(leaving,))
        await until(lambda: not leaving.open, "no connection is kept", 2)


@story
async def test_a_clients_connection_outlives_the_replicas_behind_it() -> None:
    servers = [Server() for _ in range(5)]
    async with stage(servers[0], others=tuple(servers[1:])) as router:
        reader, writer = await router.connect()
        for before, after in itertools.pairwise(servers):
            assert (await ask(reader, writer, "POST / HTTP/1.1", body=b"x")).status == 200
            await router.show(after, leaving=(before,))
        assert (await ask(reader, writer, "GET / HTTP/1.1")).status == 200
        writer.close()
    assert [len(server.heard) for server in servers] == [1] * 5


@story
async def test_slow_requests_do_not_queue_behind_each_other() -> None:
    slow, quick = Gate(), Gate()
    quick.opened.set()
    async with stage(slow, quick) as router:
        waiting = [asyncio.create_task(router.ask()) for _ in range(2)]
        await until(lambda: slow.heard, "one is slow")
        for _ in range(20):
            assert (await router.ask()).body == str(quick.port).encode()
        slow.opened.set()
        await asyncio.gather(*waiting)
    assert len(slow.heard) == 1


@story
async def test_connections_to_a_replica_are_used_again() -> None:
    server = Server()
    async with stage(server) as router:
        for _ in range(50):
            await router.ask()
    assert server.connections == 1


@story
async def test_an_app_that_lost_its_address_is_served_no_more() -> None:
    async with stage(Server()) as router:
        reader, writer = await router.connect()
        await ask(reader, writer, "GET / HTTP/1.1")
        router.table.apply(Routes(()))
        await router.ports.open_for(())
        assert (await ask(reader, writer, "GET / HTTP/1.1")).status == 404
        with pytest.raises(ConnectionRefusedError):
            await router.connect()
        writer.close()


@story
async def test_an_app_can_change_its_port() -> None:
    server = Server()
    async with stage(server) as router:
        router.port = free_port()
        await router.show(server)
        assert (await router.ask()).status == 200


@story
async def test_a_taken_port_is_told_and_opened_once_it_is_free() -> None:
    router = Stage()
    server = Server()
    with socket.socket() as other:
        other.bind(("127.0.0.1", router.port))
        other.listen()
        await router.show(server)
        await router.show(server)
    assert router.reports == [("blog", f"port {router.port} is taken by another program")] * 2
    async with server:
        await router.show(server)
        assert router.reports[-1] == ("blog", None)
        assert (await router.ask()).status == 200
        await router.ports.close(1)


@story
async def test_a_taken_port_of_one_app_leaves_the_others_open() -> None:
    router = Stage()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = Route("anna", other.getsockname()[1], ())
        await router.ports.open_for((taken, Route("blog", router.port, ())))
    assert router.ports.listening() == ("blog",)
    await router.ports.close(1)


@story
async def test_at_the_end_open_requests_end_and_idle_connections_close() -> None:
    server = Gate()
    async with stage(server) as router:
        idle, idle_writer = await router.connect()
        busy, busy_writer = await router.connect()
        busy_writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: server.heard, "a request is open")
        closing = asyncio.create_task(router.ports.close(5))
        assert await idle.read() == b""
        with pytest.raises(ConnectionRefusedError):
            await router.connect()
        server.opened.set()
        got = await read_answer(busy)
        assert (got.status, got.all("Connection")) == (200, ["close"])
        await closing
        for writer in (idle_writer, busy_writer):
            writer.close()


@story
async def test_at_the_end_what_takes_too_long_is_cut() -> None:
    server = Gate()
    async with stage(server) as router:
        reader, writer = await router.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: server.heard, "a request is open")
        await router.ports.close(0.1)
        assert await reader.read() == b""
        server.opened.set()
        with contextlib.suppress(ConnectionError):
            await until(lambda: not server.open, "the replica is rid of it")
        writer.close()
