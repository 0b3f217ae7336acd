"""Requests and responses at the limits of the HTTP standard: which the parser refuses, and which it accepts."""

from __future__ import annotations

import asyncio

import pytest

from tests.router_kit import Message, Server, answer, ask, read_answer, read_head, stage, story

MIB = 2**20
UPGRADE = ("Connection: Upgrade", "Upgrade: echo")


def replying(raw: bytes) -> Server:
    async def act(request: Message, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)

    return Server(act)


async def echo(request: Message, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Responds with the request's body."""
    writer.write(answer(request.body))


async def sent(router_bytes: bytes, server: Server) -> Message:
    """Sends raw bytes, and returns the response."""
    async with stage(server) as router:
        reader, writer = await router.connect()
        writer.write(router_bytes)
        got = await read_answer(reader)
        writer.close()
        return got


@pytest.mark.parametrize("method", ["get", "FROBNICATE", "G3T"])
@story
async def test_an_unknown_method_reaches_no_replica(method: str) -> None:
    server = Server()
    assert (await sent(f"{method} / HTTP/1.1\r\nHost: a\r\n\r\n".encode(), server)).status == 400
    assert server.connections == 0


@pytest.mark.parametrize("version", ["0.9", "1.2", "2.0", "3"])
@story
async def test_another_version_reaches_no_replica(version: str) -> None:
    server = Server()
    assert (await sent(f"GET / HTTP/{version}\r\nHost: a\r\n\r\n".encode(), server)).status == 400
    assert server.connections == 0


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nNo colon\r\n\r\n",
        b"GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n",
    ],
    ids=["bare-lf", "folded", "no-colon", "not-ascii", "blank-after-size", "negative", "too-long", "lf-chunks"],
)
@story
async def test_a_malformed_request_reaches_no_replica(request_bytes: bytes) -> None:
    server = Server()
    assert (await sent(request_bytes, server)).status == 400
    assert server.heard == []


@story
async def test_an_empty_value_and_blanks_at_the_end_of_one_pass() -> None:
    server = Server(heads_only=True)
    await sent(b"GET / HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nX-Blank: b  \r\n\r\n", server)
    assert server.heard[0].all("X-Empty") == [""]
    assert server.heard[0].all("X-Blank") == ["b"]


@pytest.mark.parametrize("start", [b"HTTP/1.1 099 No", b"HTTP/1.1 OK", b"ICY 200 OK", b"HTTP/7 200 OK"])
@story
async def test_an_answer_that_is_none_is_not_passed(start: bytes) -> None:
    async with stage(replying(start + b"\r\nContent-Length: 2\r\n\r\nok")) as router:
        assert (await router.ask("POST / HTTP/1.1", body=b"x")).status == 502


@pytest.mark.parametrize("coding", [b"gzip, chunked", b"chunked, gzip", b"identity"])
@story
async def test_an_answer_with_another_transfer_coding_is_not_passed(coding: bytes) -> None:
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n2\r\nok\r\n0\r\n\r\n" % coding
    async with stage(replying(raw)) as router:
        assert (await router.ask("POST / HTTP/1.1", body=b"x")).status == 502


@story
async def test_of_an_answer_with_a_length_and_chunks_the_chunks_pass() -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    async with stage(replying(raw)) as router:
        got = await router.ask()
    assert (got.body, got.all("Content-Length")) == (b"ok", [])


@story
async def test_trailers_for_a_client_without_chunks_are_no_fields_of_the_next_answer() -> None:
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 42\r\n\r\n"
    async with stage(replying(raw)) as router:
        for _ in range(3):
            got = await router.ask("GET / HTTP/1.0")
            assert (got.body, got.all("X-Sum")) == (b"ok", [])


@pytest.mark.parametrize(
    ("framing", "body"),
    [((), b"hello"), (("Transfer-Encoding: chunked",), b"5\r\nhello\r\n0\r\n\r\n")],
    ids=["length", "chunked"],
)
@story
async def test_an_upgrade_with_a_body_that_is_declined_is_an_ordinary_request(
    framing: tuple[str, ...], body: bytes
) -> None:
    server = Server(echo)
    async with stage(server) as router:
        reader, writer = await router.connect()
        for _ in range(3):
            assert (await ask(reader, writer, "POST / HTTP/1.1", *UPGRADE, *framing, body=body)).body == b"hello"
        writer.close()
    assert server.heard[0].all("Upgrade") == ["echo"]


@story
async def test_a_request_hidden_in_the_body_of_an_upgrade_is_no_request() -> None:
    hidden = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
    server = Server(echo)
    async with stage(server) as router:
        reader, writer = await router.connect()
        assert (await ask(reader, writer, "POST / HTTP/1.1", *UPGRADE, body=hidden)).body == hidden
        assert (await ask(reader, writer, "GET /next HTTP/1.1")).status == 200
        writer.close()
    assert [request.start for request in server.heard] == ["POST / HTTP/1.1", "GET /next HTTP/1.1"]


@story
async def test_an_upgrade_with_a_body_can_be_accepted() -> None:
    async def act(request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n" + request.body)
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async with stage(Server(act)) as router:
        reader, writer = await router.connect()
        writer.write(
            b"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\nContent-Length: 5\r\n\r\nhello"
        )
        assert (await read_head(reader)).status == 101
        writer.write(b" again")
        assert await reader.readexactly(11) == b"hello again"
        writer.close()


@story
async def test_hundreds_of_requests_sent_ahead_are_answered_when_no_replica_is() -> None:
    async with stage() as router:
        reader, writer = await router.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 2000)
        for _ in range(2000):
            assert (await read_answer(reader)).status == 503
        writer.close()


@story
async def test_requests_and_bodies_sent_ahead_are_told_apart() -> None:
    async with stage(Server(echo)) as router:
        reader, writer = await router.connect()
        bodies = [b"%d" % n * (n * 997 % 5000) for n in range(60)]
        for body in bodies:
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        for body in bodies:
            assert (await read_answer(reader)).body == body
        writer.close()


ENDLESS = {
    "head": (b"GET / HTTP/1.1\r\nHost: a\r\n", b"X: " + b"x" * 1000 + b"\r\n"),
    "target": (b"GET /", b"x" * 1000),
    "chunk-extension": (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;",
        b"x" * 1000,
    ),
    "trailers": (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        b"X: " + b"x" * 1000 + b"\r\n",
    ),
}


@pytest.mark.parametrize("kind", ENDLESS)
@story
async def test_a_request_without_end_is_refused_before_it_fills_the_memory(kind: str) -> None:
    start, more = ENDLESS[kind]
    async with stage(Server()) as router:
        reader, writer = await router.connect()
        writer.write(start)
        answered = asyncio.create_task(read_answer(reader))
        written = 0
        while not answered.done() and written < 4 * MIB:
            writer.write(more)
            written += len(more)
            await asyncio.sleep(0)
        assert (await answered).status in (400, 431)
        writer.close()
    assert written < MIB


@story
async def test_an_answer_head_without_end_is_cut() -> None:
    async def act(request: Message, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X: " + b"x" * 1000 + b"\r\n")
            await writer.drain()

    async with stage(Server(act)) as router:
        assert (await router.ask("POST / HTTP/1.1", body=b"x")).status == 502
