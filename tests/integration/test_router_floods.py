"""Clients that open many connections, or disconnect inside a head, do not affect other clients."""

from __future__ import annotations

import asyncio
import gc
import socket
import struct
from collections.abc import Callable

import pytest

from tests.router_kit import Message, Server, answer, ask, read_answer, read_head, stage, story, until

HALF_A_HEAD = b"GET / HTTP/1.1\r\nHost: bl"


def reset(writer: asyncio.StreamWriter) -> None:
    """Closes a connection with a reset."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@pytest.mark.parametrize("end", [asyncio.StreamWriter.close, reset])
@story
async def test_clients_that_break_off_inside_their_head_leave_no_traceback(
    end: Callable[[asyncio.StreamWriter], None], caplog: pytest.LogCaptureFixture
) -> None:
    async with stage(Server()) as router:
        clients = [await router.connect() for _ in range(100)]
        for _, writer in clients:
            writer.write(HALF_A_HEAD)
        for _, writer in clients:
            end(writer)
        assert (await router.ask()).status == 200
        await router.ports.close(1)
        gc.collect()
        assert [record.getMessage() for record in caplog.records] == []


@story
async def test_a_client_that_only_sends_no_more_inside_its_head_is_refused() -> None:
    async with stage(Server()) as router:
        reader, writer = await router.connect()
        writer.write(HALF_A_HEAD)
        writer.write_eof()
        assert (await read_answer(reader)).status == 400
        assert await reader.read() == b""
        writer.close()


async def holding(request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Never ends the response to /held; responds with 200 to other requests."""
    if "/held" not in request.start:
        return writer.write(answer())
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
    await reader.read()
    return writer.close()


@story
async def test_a_new_client_gets_the_place_of_the_one_that_has_been_idle_longest() -> None:
    async with stage(Server(), connections=3) as router:
        clients = [await router.connect() for _ in range(3)]
        for reader, writer in clients[1:]:
            assert (await ask(reader, writer, "GET / HTTP/1.1")).status == 200
        assert (await router.ask()).status == 200
        assert await clients[0][0].read() == b""
        for reader, writer in clients[1:]:
            assert (await ask(reader, writer, "GET / HTTP/1.1")).status == 200
            writer.close()


@story
async def test_half_heads_keep_no_place_from_a_client_with_a_whole_one() -> None:
    async with stage(Server(), connections=5) as router:
        for _ in range(20):
            _, writer = await router.connect()
            writer.write(HALF_A_HEAD)
        assert [(await router.ask()).status for _ in range(10)] == [200] * 10


@story
async def test_with_every_place_taken_by_a_request_a_new_client_is_refused_and_the_others_go_on() -> None:
    server = Server(holding)
    async with stage(server, connections=2) as router:
        busy = [await router.connect() for _ in range(2)]
        for reader, writer in busy:
            writer.write(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await read_head(reader)).status == 200
        reader, writer = await router.connect()
        got = await read_answer(reader)
        assert (got.status, got.body) == (503, b"blog: 2 connections are open, and no more are taken\n")
        assert got.all("Connection") == ["close"]
        reset(busy[0][1])
        await until(lambda: server.open == 1, "one place is free")
        assert (await router.ask()).status == 200
