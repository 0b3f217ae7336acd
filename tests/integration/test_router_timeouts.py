"""Clients that send nothing, or their head too slowly, are disconnected; clients with an open request never are."""

from __future__ import annotations

import asyncio
from time import monotonic

from tests.router_kit import Message, Server, answer, ask, read_answer, read_head, stage, story, until

IDLE, HEAD = 120, 30
"""The limits of the tested router, in seconds."""


@story
async def test_an_idle_connection_is_closed_after_its_time_and_not_before() -> None:
    async with stage(Server()) as router:
        reader, writer = await router.connect()
        assert (await ask(reader, writer, "GET / HTTP/1.1")).status == 200
        router.ports.sweep(monotonic() + IDLE - 5)
        assert (await ask(reader, writer, "GET / HTTP/1.1")).status == 200
        router.ports.sweep(monotonic() + IDLE + 5)
        assert await reader.read() == b""
        writer.close()


@story
async def test_a_connection_without_any_request_is_idle_too() -> None:
    async with stage(Server()) as router:
        reader, writer = await router.connect()
        await router.ask()
        router.ports.sweep(monotonic() + IDLE + 5)
        assert await reader.read() == b""
        writer.close()


@story
async def test_a_slow_head_is_answered_408_and_a_slow_body_is_not() -> None:
    server = Server()
    async with stage(server) as router:
        slow, slow_writer = await router.connect()
        slow_writer.write(b"GET / HTTP/1.1\r\nHost: ")
        body, body_writer = await router.connect()
        body_writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel")
        await router.ask()
        await until(lambda: server.open == 2, "the body is on its way")
        router.ports.sweep(monotonic() + HEAD + 5)
        got = await read_answer(slow)
        assert (got.status, got.body) == (408, b"this request cannot be served: its head took too long\n")
        assert await slow.read() == b""
        router.ports.sweep(monotonic() + IDLE + 5)
        body_writer.write(b"lo")
        assert (await read_answer(body)).status == 200
        for writer in (slow_writer, body_writer):
            writer.close()


@story
async def test_the_time_of_a_slow_head_is_counted_from_its_first_byte() -> None:
    async with stage(Server()) as router:
        reader, writer = await router.connect()
        assert (await ask(reader, writer, "GET / HTTP/1.1")).status == 200
        router.ports.sweep(monotonic() + IDLE - 5)
        writer.write(b"GET / HTTP/1.1\r\n")
        await router.ask()
        router.ports.sweep(monotonic() + HEAD - 5)
        writer.write(b"Host: a\r\n\r\n")
        assert (await read_answer(reader)).status == 200
        writer.close()


@story
async def test_a_slow_answer_is_not_idle() -> None:
    go_on = asyncio.Event()

    async def act(request: Message, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        writer.write(answer())

    server = Server(act)
    async with stage(server) as router:
        reader, writer = await router.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: server.heard, "the request is open")
        router.ports.sweep(monotonic() + 1000)
        go_on.set()
        assert (await read_answer(reader)).status == 200
        writer.close()


@story
async def test_an_upgraded_connection_is_never_idle() -> None:
    async def act(request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
        writer.write(await reader.readexactly(5))

    async with stage(Server(act)) as router:
        reader, writer = await router.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        await read_head(reader)
        router.ports.sweep(monotonic() + 1000)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        writer.close()
