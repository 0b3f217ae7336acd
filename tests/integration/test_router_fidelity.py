"""Messages pass through the router unchanged: paths, fields, bodies, and all ways to end a message."""

from __future__ import annotations

import asyncio

import pytest

from tests.router_kit import Message, Server, answer, ask, read_answer, read_head, stage, story


def replying(raw: bytes, *, then_close: bool = False) -> Server:
    async def act(request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        if then_close:
            writer.close()

    return Server(act)


@pytest.mark.parametrize("target", ["/a%2Fb//c?x=%20", "/?", "/%C3%A4", "/..;/x?a=b&a=c#", "*"])
@story
async def test_the_target_passes_as_it_is(target: str) -> None:
    method = "OPTIONS" if target == "*" else "GET"
    server = Server()
    async with stage(server) as router:
        assert (await router.ask(f"{method} {target} HTTP/1.1")).status == 200
    assert server.heard[0].start == f"{method} {target} HTTP/1.1"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "TRACE"])
@story
async def test_any_method_passes(method: str) -> None:
    server = Server()
    async with stage(server) as router:
        assert (await router.ask(f"{method} / HTTP/1.1")).status == 200
    assert server.heard[0].start == f"{method} / HTTP/1.1"


@story
async def test_request_fields_pass_with_doubles_order_and_case() -> None:
    server = Server()
    async with stage(server) as router:
        await router.ask("GET / HTTP/1.1", "X-B: 1", "x-a: 2", "X-B: 3", "Cookie: a=b", "Accept-Encoding: gzip, br")
    sent = [("Host", "blog.test"), ("X-B", "1"), ("x-a", "2"), ("X-B", "3"), ("Cookie", "a=b")]
    assert server.heard[0].fields[:6] == [*sent, ("Accept-Encoding", "gzip, br")]


@story
async def test_nothing_but_forwarding_fields_is_added() -> None:
    server = Server()
    async with stage(server) as router:
        await router.ask("GET / HTTP/1.1")
    assert server.heard[0].fields == [
        ("Host", "blog.test"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", "blog.test"),
    ]


@story
async def test_forwarding_fields_of_a_tunnel_in_front_are_kept() -> None:
    server = Server()
    async with stage(server) as router:
        await router.ask("GET / HTTP/1.1", "X-Forwarded-For: 9.9.9.9", "X-Forwarded-Proto: https")
    assert server.heard[0].all("X-Forwarded-For") == ["9.9.9.9, 127.0.0.1"]
    assert server.heard[0].all("X-Forwarded-Proto") == ["https"]


@story
async def test_hop_by_hop_fields_end_at_the_router() -> None:
    server = replying(answer(b"ok", "Connection: X-Mine", "X-Mine: 1", "Keep-Alive: timeout=5", "X-Yours: 2"))
    async with stage(server) as router:
        got = await router.ask(
            "GET / HTTP/1.1", "Connection: keep-alive, X-Secret", "X-Secret: 1", "Keep-Alive: 5", "TE: trailers", "A: 1"
        )
    names = [name.lower() for name, _ in server.heard[0].fields]
    assert "a" in names
    assert not {"connection", "x-secret", "keep-alive", "te"} & set(names)
    assert [name for name, _ in got.fields] == ["Content-Length", "X-Yours"]


@story
async def test_answer_fields_pass_with_doubles_reason_and_coding() -> None:
    fields = ("Set-Cookie: a=1", "Set-Cookie: b=2", "content-ENCODING: gzip")
    raw = answer(b"\x1f\x8bnot really", *fields, status="299 Fine")
    async with stage(replying(raw)) as router:
        got = await router.ask()
    assert got.start == "HTTP/1.1 299 Fine"
    assert got.fields[1:] == [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("content-ENCODING", "gzip")]
    assert got.body == b"\x1f\x8bnot really"


@story
async def test_redirects_are_the_clients_to_follow() -> None:
    async with stage(replying(answer(b"", "Location: /x", status="302 Found"))) as router:
        got = await router.ask()
    assert (got.status, got.all("Location")) == (302, ["/x"])


@pytest.mark.parametrize(
    ("method", "raw"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\nETag: x\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n"),
    ],
)
@story
async def test_answers_without_body_keep_their_fields_and_the_connection(method: str, raw: bytes) -> None:
    server = replying(raw)
    async with stage(server) as router:
        reader, writer = await router.connect()
        for _ in range(3):
            got = await ask(reader, writer, f"{method} / HTTP/1.1")
            assert got.fields == [tuple(line.split(": ")) for line in raw.decode().split("\r\n")[1:-2]]
        writer.close()
    assert server.connections == 1


@story
async def test_a_chunked_body_passes_both_ways_with_trailers() -> None:
    chunks = b"5\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 42\r\n\r\n"
    server = replying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n" + chunks)
    async with stage(server) as router:
        got = await router.ask("POST / HTTP/1.1", "Transfer-Encoding: chunked", body=chunks)
    assert (server.heard[0].body, server.heard[0].trailers) == (b"hello world", [("X-Sum", "42")])
    assert (got.body, got.trailers) == (b"hello world", [("X-Sum", "42")])


@story
async def test_an_answer_that_ends_with_its_connection_is_whole() -> None:
    server = replying(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n" + b"x" * 100_000, then_close=True)
    async with stage(server) as router:
        reader, writer = await router.connect()
        for _ in range(3):
            assert (await ask(reader, writer, "GET / HTTP/1.1")).body == b"x" * 100_000
        writer.close()
        old = await router.ask("GET / HTTP/1.0")
    assert (old.body, old.all("Transfer-Encoding")) == (b"x" * 100_000, [])


@story
async def test_a_half_answer_ends_visibly() -> None:
    server = replying(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", then_close=True)
    async with stage(server) as router:
        with pytest.raises(asyncio.IncompleteReadError) as cut:
            await router.ask()
    assert cut.value.partial == b"half"


@story
async def test_expect_100_continue_is_between_client_and_replica() -> None:
    async def act(request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        writer.write(answer(await reader.readexactly(5)))

    server = Server(act, heads_only=True)
    async with stage(server) as router:
        reader, writer = await router.connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert (await read_head(reader)).status == 100
        writer.write(b"hello")
        assert (await read_answer(reader)).body == b"hello"
        writer.close()
    assert server.heard[0].all("Expect") == ["100-continue"]


@story
async def test_a_refused_expectation_ends_the_connection() -> None:
    async def act(request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"too large", status="413 Content Too Large"))

    async with stage(Server(act, heads_only=True)) as router:
        reader, writer = await router.connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        got = await read_answer(reader)
        assert (got.status, got.all("Connection")) == (413, ["close"])
        assert await reader.read() == b""
        writer.close()


@story
async def test_early_hints_pass() -> None:
    async with stage(replying(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" + answer())) as router:
        reader, writer = await router.connect()
        assert (await ask(reader, writer, "GET / HTTP/1.1")).all("Link") == ["</a.css>"]
        assert (await read_answer(reader)).body == b"ok"
        writer.close()


@story
async def test_requests_sent_ahead_are_answered_in_order() -> None:
    async def act(request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(request.start.encode()))

    async with stage(Server(act)) as router:
        reader, writer = await router.connect()
        writer.write(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(20)))
        for n in range(20):
            assert (await read_answer(reader)).body == b"GET /%d HTTP/1.1" % n
        writer.close()


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
        (b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", 400),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 500_000, 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ],
)
@story
async def test_a_request_that_could_be_read_two_ways_reaches_no_replica(request_bytes: bytes, status: int) -> None:
    server = Server()
    async with stage(server) as router:
        reader, writer = await router.connect()
        writer.write(request_bytes)
        assert (await read_answer(reader)).status == status
        assert await reader.read() == b""
        writer.close()
    assert server.heard == []


@story
async def test_a_body_broken_on_its_way_is_a_bad_request() -> None:
    async with stage(Server()) as router:
        reader, writer = await router.connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        await asyncio.sleep(0)
        writer.write(b"5\r\nhelloXX")
        assert (await read_answer(reader)).status == 400
        writer.close()


@story
async def test_an_answer_with_two_lengths_is_not_believed() -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"
    async with stage(replying(raw)) as router:
        assert (await router.ask("POST / HTTP/1.1")).status == 502


@story
async def test_a_client_without_host_gets_one() -> None:
    server = Server()
    async with stage(server) as router:
        assert (await router.ask("GET / HTTP/1.0")).status == 200
        assert server.heard[0].all("Host") == [f"127.0.0.1:{router.port}"]
