"""Streams pass through the router chunk by chunk as they arrive: events, upgrades, large bodies, slow readers; memory
use stays small.
"""

from __future__ import annotations

import asyncio
import hashlib
import tracemalloc
from collections.abc import Callable

from tests.router_kit import Message, Server, answer, ask, read_answer, read_head, stage, story, until

MIB = 2**20
PIECE = bytes(range(256)) * 256
LARGE = 50 * MIB

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"
ASK_SWITCH = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: echo\r\n\r\n"


async def echo_after_upgrade(request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Switches to a protocol that says hello and then echoes."""
    writer.write(SWITCH + b"hello ")
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@story
async def test_events_arrive_as_they_are_sent() -> None:
    """The next event is sent only after the previous one has arrived: any buffering would block the test."""
    arrived = asyncio.Queue[bytes]()

    async def act(request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(EVENTS)
        for n in range(100):
            writer.write(b"c\r\ndata: %04d\n\n\r\n" % n)
            await writer.drain()
            assert await arrived.get() == b"data: %04d\n\n" % n
        writer.write(b"0\r\n\r\n")

    async with stage(Server(act)) as router:
        reader, writer = await router.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await read_head(reader)).all("Content-Type") == ["text/event-stream"]
        for _ in range(100):
            size = int(await reader.readline(), 16)
            arrived.put_nowait(await reader.readexactly(size))
            await reader.readexactly(2)
        assert await reader.readexactly(5) == b"0\r\n\r\n"
        writer.close()


@story
async def test_a_request_body_arrives_as_it_is_sent_and_is_answered_meanwhile() -> None:
    async def act(request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            writer.write(await reader.readexactly(1))
            await writer.drain()

    async with stage(Server(act, heads_only=True)) as router:
        reader, writer = await router.connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
        assert (await read_head(reader)).status == 200
        for n in range(10):
            writer.write(b"%d" % n)
            assert await reader.readexactly(1) == b"%d" % n
        writer.close()


@story
async def test_an_upgrade_passes_bytes_both_ways() -> None:
    server = Server(echo_after_upgrade)
    async with stage(server) as router:
        reader, writer = await router.connect()
        writer.write(ASK_SWITCH + b"early ")
        head = await read_head(reader)
        assert (head.status, head.all("Upgrade"), head.all("Connection")) == (101, ["echo"], ["Upgrade"])
        assert await reader.readexactly(12) == b"hello early "
        writer.write(PIECE * 16)
        assert await reader.readexactly(MIB) == PIECE * 16
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
    assert (server.heard[0].all("Upgrade"), server.heard[0].all("Connection")) == (["echo"], ["Upgrade"])


@story
async def test_an_upgrade_that_is_declined_is_an_ordinary_request() -> None:
    server = Server()
    async with stage(server) as router:
        reader, writer = await router.connect()
        writer.write(ASK_SWITCH)
        assert (await read_answer(reader)).body == b"ok"
        assert (await ask(reader, writer, "GET / HTTP/1.1")).status == 200
        writer.close()
    assert server.connections == 1


@story
async def test_an_upgrade_nobody_asked_for_is_not_passed() -> None:
    async with stage(Server(echo_after_upgrade)) as router:
        assert (await router.ask("POST / HTTP/1.1")).status == 502


@story
async def test_a_replica_that_is_lost_ends_its_upgraded_connections() -> None:
    server = Server(echo_after_upgrade)
    async with stage(server) as router:
        reader, writer = await router.connect()
        writer.write(ASK_SWITCH)
        await read_head(reader)
        await reader.readexactly(6)
        await server.__aexit__()
        assert await reader.read() == b""
        writer.close()


@story
async def test_a_large_answer_to_a_slow_reader_waits_in_the_replica() -> None:
    sent = 0

    async def act(request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE)
        for _ in range(LARGE // len(PIECE)):
            writer.write(PIECE)
            await writer.drain()
            sent += len(PIECE)

    async with stage(Server(act)) as router:
        reader, writer = await router.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        tracemalloc.start()
        await stands_still(lambda: sent)
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert sent < LARGE / 2
        assert held < 6 * MIB
        digest = await _digest(reader)
        writer.close()
    assert digest == hashlib.sha256(PIECE * (LARGE // len(PIECE))).hexdigest()


async def stands_still(count: Callable[[], int]) -> None:
    """Waits until some data was sent and no more is sent."""
    before = -1
    while before != count() or not before:
        before = count()
        await asyncio.sleep(0.1)


async def _digest(reader: asyncio.StreamReader) -> str:
    await read_head(reader)
    digest = hashlib.sha256()
    left = LARGE
    while left:
        data = await reader.read(65536)
        digest.update(data)
        left -= len(data)
    return digest.hexdigest()


@story
async def test_a_large_body_to_a_slow_replica_waits_in_the_client() -> None:
    go_on = asyncio.Event()

    async def act(request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        digest = hashlib.sha256()
        left = LARGE
        while left:
            data = await reader.read(65536)
            digest.update(data)
            left -= len(data)
        writer.write(answer(digest.hexdigest().encode()))

    async with stage(Server(act, heads_only=True)) as router:
        reader, writer = await router.connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % LARGE)
        sent = 0

        async def send() -> None:
            nonlocal sent
            for _ in range(LARGE // len(PIECE)):
                writer.write(PIECE)
                await writer.drain()
                sent += len(PIECE)

        tracemalloc.start()
        sending = asyncio.create_task(send())
        await stands_still(lambda: sent)
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert sent < LARGE / 2
        assert held < 6 * MIB
        go_on.set()
        await sending
        body = (await read_answer(reader)).body
        writer.close()
    assert body.decode() == hashlib.sha256(PIECE * (LARGE // len(PIECE))).hexdigest()


@story
async def test_a_client_that_reads_nothing_holds_nobody_up() -> None:
    async def act(request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(PIECE * 64 if "large" in request.start else b"ok"))
        await writer.drain()

    async with stage(Server(act)) as router:
        stuck = [await router.connect() for _ in range(10)]
        for _, writer in stuck:
            writer.write(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        assert [(await router.ask()).status for _ in range(100)] == [200] * 100
        for _, writer in stuck:
            writer.transport.abort()


@story
async def test_a_client_that_sends_a_byte_at_a_time_is_served() -> None:
    server = Server()
    async with stage(server) as router:
        reader, writer = await router.connect()
        for byte in b"POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc":
            writer.write(bytes([byte]))
            await asyncio.sleep(0.001)
        assert (await read_answer(reader)).body == b"ok"
        writer.close()
    assert server.heard[0].body == b"abc"


@story
async def test_a_stream_whose_client_is_lost_ends_at_the_replica() -> None:
    async def act(request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(EVENTS)
        while True:
            writer.write(b"1\r\n.\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    server = Server(act)
    async with stage(server) as router:
        reader, writer = await router.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await read_head(reader)
        writer.close()
        await until(lambda: not server.open, "the replica is rid of it", 2)
