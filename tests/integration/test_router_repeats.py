"""When a replica fails a request, the router sends the request again only where that is safe; otherwise the client gets
an error.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable

import pytest

from norn_tasks.router.client.exchange import HALF_CLOSED_SECONDS
from norn_tasks.router.protocol.requests import KEPT_MAX
from tests.router_kit import Message, Server, answer, ask, read_answer, say_ok, stage, story, until


def hang_up(when: Callable[[Message, int], bool]) -> Server:
    """Returns a server that closes the connection without a byte when `when` says so, depending on the request and its
    number on the connection; otherwise it responds with 200.
    """
    on_connection: dict[int, int] = {}

    async def act(request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nth = on_connection[request.connection] = on_connection.get(request.connection, 0) + 1
        if when(request, nth):
            writer.close()
        else:
            writer.write(answer(request.body or b"ok"))

    return Server(act)


def first_is_never_second(request: Message, nth: int) -> bool:
    """Simulates a server that closes a connection as idle just when the second request arrives."""
    return nth > 1


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
@story
async def test_a_reused_connection_that_closes_is_no_failure(method: str) -> None:
    server = hang_up(first_is_never_second)
    async with stage(server) as router:
        reader, writer = await router.connect()
        for n in range(50):
            got = await ask(reader, writer, f"{method} / HTTP/1.1", body=b"n=%d" % n)
            assert (got.status, got.body) == (200, b"n=%d" % n)
        writer.close()


@story
async def test_the_repeat_goes_to_another_replica_when_there_is_one() -> None:
    closing, steady = hang_up(first_is_never_second), Server()
    async with stage(closing, others=(steady,)) as router:
        await router.ask()
        await router.show(closing, steady)
        for body in (b"1", b"2"):
            assert (await router.ask("POST / HTTP/1.1", body=body)).status == 200
    cut_off = closing.heard[1]
    assert cut_off.connection == 1
    assert cut_off.body in [request.body for request in steady.heard]


@story
async def test_a_fresh_connection_that_closes_has_had_the_post() -> None:
    server = hang_up(lambda request, nth: True)
    async with stage(server) as router:
        got = await router.ask("POST / HTTP/1.1", body=b"x")
    assert (got.status, len(server.heard)) == (502, 1)
    assert got.body == b"blog: its replica closed the connection before it had answered\n"


@story
async def test_a_get_on_a_fresh_connection_that_closes_is_sent_once_more_elsewhere() -> None:
    bad, good = hang_up(lambda request, nth: True), Server()
    async with stage(bad, good) as router:
        assert [(await router.ask()).status for _ in range(10)] == [200] * 10


@story
async def test_a_get_that_no_replica_answers_is_sent_twice_and_no_more() -> None:
    servers = [hang_up(lambda request, nth: True) for _ in range(4)]
    async with stage(*servers) as router:
        assert (await router.ask()).status == 502
    assert sum(len(server.heard) for server in servers) == 2


@story
async def test_a_byte_of_an_answer_forbids_the_repeat() -> None:
    seen: list[Message] = []

    async def act(request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(request)
        writer.write(answer() if len(seen) == 1 else b"HTTP/1.1 2")
        if len(seen) > 1:
            writer.close()

    async with stage(Server(act)) as router:
        assert [(await router.ask()).status for _ in range(2)] == [200, 502]
    assert len(seen) == 2


@story
async def test_a_body_that_is_remembered_is_sent_again_whole() -> None:
    server = hang_up(first_is_never_second)
    body = bytes(range(256)) * (KEPT_MAX // 256)
    async with stage(server) as router:
        for _ in range(5):
            assert (await router.ask("POST / HTTP/1.1", body=body)).body == body


@pytest.mark.parametrize("size", [KEPT_MAX + 1, 1_000_000])
@story
async def test_a_body_too_large_to_remember_takes_no_used_connection(size: int) -> None:
    server = hang_up(first_is_never_second)
    async with stage(server) as router:
        assert (await router.ask()).status == 200
        for _ in range(3):
            assert len((await router.ask("POST / HTTP/1.1", body=b"x" * size)).body) == size


@story
async def test_a_replica_that_accepts_nothing_is_passed_over() -> None:
    gone, good = Server(), Server()
    async with stage(good) as router:
        await router.show(gone, good)
        assert [(await router.ask("POST / HTTP/1.1", body=b"x")).status for _ in range(20)] == [200] * 20
    assert len(good.heard) == 20


@story
async def test_replicas_that_all_accept_nothing_are_told() -> None:
    async with stage() as router:
        await router.show(Server(), Server())
        got = await router.ask()
    assert (got.status, got.body) == (502, b"blog: none of its replicas took the request\n")
    assert got.all("Retry-After") == ["2"]


@story
async def test_a_replica_that_answers_no_connection_costs_its_time_once() -> None:
    """The listener's backlog is full: the kernel drops each new connection."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        stuck, good = Server(), Server()
        stuck.port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        async with stage(good) as router:
            await router.show(stuck, good)
            assert [(await router.ask()).status for _ in range(2)] == [200] * 2
        for filler in fillers:
            filler.close()


@story
async def test_the_client_is_not_told_of_a_replica_that_closes_idle_connections() -> None:
    async def once(request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await say_ok(request, reader, writer)
        await writer.drain()
        writer.close()

    server = Server(once)
    async with stage(server) as router:
        reader, writer = await router.connect()
        for _ in range(200):
            assert (await ask(reader, writer, "POST / HTTP/1.1", body=b"x")).status == 200
        writer.close()
    assert len(server.heard) == 200


@story
async def test_an_early_answer_to_a_large_body_arrives_and_the_connection_goes_on() -> None:
    async def act(request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"no", "Connection: close", status="413 Content Too Large"))
        await writer.drain()
        writer.close()

    async with stage(Server(act, heads_only=True)) as router:
        reader, writer = await router.connect()
        size = 3_000_000
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
        answered = asyncio.create_task(read_answer(reader))
        for _ in range(30):
            writer.write(b"x" * 100_000)
            await writer.drain()
        assert (await answered).status in (413, 502)
        assert (await ask(reader, writer, "GET / HTTP/1.1")).status == 413
        writer.close()


async def wait_for_the_end(request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Never responds; closes the connection when the other side does."""
    await reader.read()
    writer.close()


@story
async def test_a_client_that_is_lost_takes_its_request_with_it() -> None:
    server = Server(wait_for_the_end)
    async with stage(server) as router:
        _, writer = await router.connect()
        await send_unanswered(writer, server)
        reset = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        writer.close()
        await until(lambda: not server.open, "the replica is rid of it", 1)
    assert len(server.heard) == 1


@story
async def test_a_client_that_closed_takes_its_request_with_it_after_some_silence() -> None:
    server = Server(wait_for_the_end)
    async with stage(server) as router:
        _, writer = await router.connect()
        await send_unanswered(writer, server)
        writer.close()
        await until(lambda: not server.open, "the replica is rid of it", HALF_CLOSED_SECONDS + 2)
    assert len(server.heard) == 1


async def send_unanswered(writer: asyncio.StreamWriter, server: Server) -> None:
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await until(lambda: server.heard, "the replica has the request")


@story
async def test_a_client_that_only_sends_no_more_gets_its_answer() -> None:
    async with stage(Server()) as router:
        reader, writer = await router.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        writer.write_eof()
        assert (await read_answer(reader)).body == b"ok"
        assert await reader.read() == b""
        writer.close()
