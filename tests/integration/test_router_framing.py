"""The router refuses lengths and trailers that two readers could understand differently."""

from __future__ import annotations

import asyncio

import pytest

from tests.router_kit import Message, Server, read_answer, stage, story

LARGEST = 2**63 - 1


def replying(raw: bytes) -> Server:
    async def act(request: Message, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)

    return Server(act)


@pytest.mark.parametrize("length", [LARGEST + 1, 2**64 + 5, 10**30])
@story
async def test_a_request_longer_than_63_bits_can_count_reaches_no_replica(length: int) -> None:
    """A replica that counts in 64 bits reads 2^64+5 as 5, and takes the rest as a second request."""
    server = Server()
    async with stage(server) as router:
        reader, writer = await router.connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\nhello" % length)
        assert (await read_answer(reader)).status == 400
        writer.close()
    assert (server.heard, server.connections) == ([], 0)


@pytest.mark.parametrize("length", [LARGEST + 1, 2**64 + 2])
@story
async def test_an_answer_longer_than_63_bits_can_count_is_not_passed(length: int) -> None:
    async with stage(replying(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nok" % length)) as router:
        assert (await router.ask("POST / HTTP/1.1", body=b"x")).status == 502


FRAMING_TRAILERS = ("Content-Length: 5", "Transfer-Encoding: chunked")
ROUTING_TRAILERS = (
    "Host: evil.test",
    "Connection: X-Sum",
    "Upgrade: echo",
    "TE: trailers",
    "Trailer: X-Sum",
    "Forwarded: for=9.9.9.9",
    "X-Forwarded-For: 9.9.9.9",
    "x-forwarded-host: evil.test",
)


@pytest.mark.parametrize("trailer", FRAMING_TRAILERS)
@story
async def test_a_request_whose_trailers_name_framing_reaches_no_replica(trailer: str) -> None:
    server = Server()
    chunks = f"5\r\nhello\r\n0\r\n{trailer}\r\nX-Sum: 42\r\n\r\n".encode()
    async with stage(server) as router:
        assert (await router.ask("POST / HTTP/1.1", "Transfer-Encoding: chunked", body=chunks)).status == 400
    assert server.heard == []


@pytest.mark.parametrize("trailer", ROUTING_TRAILERS)
@story
async def test_trailers_of_a_request_cannot_name_routing(trailer: str) -> None:
    server = Server()
    chunks = f"5\r\nhello\r\n0\r\n{trailer}\r\nX-Sum: 42\r\n\r\n".encode()
    async with stage(server) as router:
        assert (await router.ask("POST / HTTP/1.1", "Transfer-Encoding: chunked", body=chunks)).status == 200
    assert (server.heard[0].body, server.heard[0].trailers) == (b"hello", [("X-Sum", "42")])


@pytest.mark.parametrize("trailer", FRAMING_TRAILERS + ROUTING_TRAILERS)
@story
async def test_trailers_of_an_answer_cannot_name_framing_or_routing(trailer: str) -> None:
    chunks = f"5\r\nhello\r\n0\r\n{trailer}\r\nX-Sum: 42\r\n\r\n".encode()
    async with stage(replying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)) as router:
        got = await router.ask()
    assert (got.body, got.trailers) == (b"hello", [("X-Sum", "42")])


@story
async def test_an_answer_whose_lines_end_in_a_bare_lf_passes() -> None:
    raw = b"HTTP/1.1 200 OK\r\nConnection: close\nContent-Type: text/html\n\n<h1>Hello</h1>\n"

    async def act(_: Message, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        writer.close()

    async with stage(Server(act)) as router:
        assert (await router.ask()).body == b"<h1>Hello</h1>\n"
