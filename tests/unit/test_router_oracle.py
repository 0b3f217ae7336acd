"""The router and the library h11 parse the same bytes: the router passes on only what h11 understands in the same way,
or refuses it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from norn_tasks.router.protocol.heads import Fields
from norn_tasks.router.protocol.replies import ReplyHead, ReplyReader
from norn_tasks.router.protocol.requests import RequestReader

ADDRESS = b"127.0.0.1:18800"


@dataclass
class Read:
    """A message as a parser understood it."""

    start: tuple[bytes, ...]
    fields: list[tuple[bytes, bytes]]
    body: bytes = b""
    whole: bool = False
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)


def by_h11(data: bytes, role: type[h11.CLIENT] | type[h11.SERVER], method: bytes = b"GET") -> list[Read] | None:
    """Returns the messages that h11 finds; None if it refuses one."""
    parser = h11.Connection(role, 2**20)
    if role is h11.CLIENT:
        _ask(parser, method)
    parser.receive_data(data)
    found: list[Read] = []
    try:
        while True:
            event = parser.next_event()
            if isinstance(event, h11.Request):
                found.append(Read((event.method, event.target), list(event.headers.raw_items())))
            elif isinstance(event, h11.Response):
                found.append(Read((b"%d" % event.status_code, event.reason), list(event.headers.raw_items())))
            elif isinstance(event, h11.Data):
                found[-1].body += event.data
            elif isinstance(event, h11.EndOfMessage):
                found[-1].whole = True
                found[-1].trailers = list(event.headers.raw_items())
                if role is h11.CLIENT or not _next(parser):
                    return found
            elif not isinstance(event, h11.InformationalResponse):
                return found
    except h11.RemoteProtocolError:
        return None


def _ask(parser: h11.Connection, method: bytes) -> None:
    parser.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    parser.send(h11.EndOfMessage())


def _next(parser: h11.Connection) -> bool:
    """Responds as the router would, so that h11 reads the next request; returns False if there is none."""
    parser.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
    parser.send(h11.EndOfMessage())
    if parser.our_state is not h11.DONE:
        return False
    parser.start_next_cycle()
    return True


def by_router(data: bytes, cuts: list[int]) -> tuple[list[bytes], bool]:
    """Returns the requests as replicas get them, and whether the router stopped reading."""
    reader = RequestReader(b"10.0.0.1", ADDRESS)
    ends = sorted({min(cut, len(data)) for cut in cuts} | {len(data)})
    start = 0
    for end in ends:
        rest = data[start:end]
        start = end
        while rest and reader.refused is None:
            rest = reader.feed(rest)
    return [request.from_start() for request in reader.arrived if request.whole], reader.refused is not None


# Requests

TOKENS = st.sampled_from(
    ["X-A", "x-b", "Accept", "Cookie", "X-Forwarded-For", "X-Forwarded-Proto", "Expect", "Upgrade"]
)
VALUES = st.sampled_from(["", "1", "a, b", "close", "keep-alive", "x\tz", "\xe9", "h2c", "100-continue", "9.9.9.9"])
PLAIN_FIELDS = st.lists(st.tuples(TOKENS, VALUES), max_size=4)
CONNECTION = st.sampled_from([None, "keep-alive", "close", "X-A", "upgrade", "Host, X-b", "Content-Length"])
TARGETS = st.sampled_from(["/", "/a%2Fb//c?x=1", "*", "/?a=b&a=c", "http://a.test/x"])
BODIES = st.binary(max_size=40)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Generates a well-formed request."""
    fields = [("Host", "blog.test"), *draw(PLAIN_FIELDS)]
    if (connection := draw(CONNECTION)) is not None:
        fields.append(("Connection", connection))
    body, framing = draw(BODIES), draw(st.sampled_from(["none", "length", "chunked"]))
    if framing == "none":
        payload = b""
    elif framing == "length":
        fields.append(("Content-Length", str(len(body))))
        payload = body
    else:
        fields.append(("Transfer-Encoding", "chunked"))
        payload = draw(chunked(body))
    method = draw(st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"]))
    head = "\r\n".join([f"{method} {draw(TARGETS)} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)])
    return head.encode("latin-1") + b"\r\n\r\n" + payload


@st.composite
def chunked(draw: st.DrawFn, body: bytes) -> bytes:
    """Generates a body in chunks of any size, with or without a trailer."""
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=3)))
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    trailer = draw(st.sampled_from([b"", b"X-Sum: 42\r\n", b"Host: evil.test\r\n"]))
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece) + b"0\r\n" + trailer + b"\r\n"


CUTS = st.lists(st.integers(1, 400), max_size=6)
FORWARDED = (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"connection", b"upgrade")


def essence(read: Read) -> tuple[object, ...]:
    """Returns the parts of a request that must be the same on both sides of the router."""
    named = {
        token.strip().lower()
        for name, value in read.fields
        if name.lower() == b"connection"
        for token in value.split(b",")
    } - {b"host", b"content-length"}
    fields = [(n, v) for n, v in read.fields if n.lower() not in FORWARDED and n.lower() not in named]
    trailers = [(n, v) for n, v in read.trailers if n.lower() != b"host"]
    # The fields are sorted because the router moves the field of the transfer coding to the last place but one.
    return (*read.start, sorted(fields), read.body, trailers)


@settings(max_examples=150, deadline=None)
@given(st.lists(requests(), min_size=1, max_size=3), CUTS)
def test_replicas_get_the_requests_that_h11_reads_however_they_are_cut(sent: list[bytes], cuts: list[int]) -> None:
    understood = by_h11(b"".join(sent), h11.SERVER)
    passed, _ = by_router(b"".join(sent), cuts)
    assert understood is not None
    assert len(passed) >= len([read for read in understood if read.whole])
    for read, raw in zip(understood, passed, strict=False):
        (at_replica,) = by_h11(raw, h11.SERVER) or ()
        assert essence(at_replica) == essence(read)


INSERTED = [
    b"",
    b"\r",
    b"\n",
    b"\r\n",
    b" ",
    b"\t",
    b"\0",
    b":",
    b",",
    b"0",
    b"-",
    b"\x80",
    b"chunked",
    b";x=1",
    b"HTTP/1.0",
]
INSERTED += [b"\r\nTransfer-Encoding: chunked", b"\r\nContent-Length: 3", b"\r\nHost: b", b"\r\n x"]
MUTATIONS = st.lists(
    st.tuples(st.integers(0, 300), st.sampled_from(INSERTED), st.integers(0, 3)), min_size=1, max_size=3
)
UNCHANGED = [(0, b"", 0)]
UPGRADE_WITH_BODY = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\nContent-Length: 3\r\n\r\nabc"
EMPTY_VALUE = b"GET / HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nX-B: 1\r\n\r\n"


def mutated(data: bytes, changes: list[tuple[int, bytes, int]]) -> bytes:
    """Replaces some bytes at some positions."""
    for place, inserted, removed in changes:
        place %= len(data)
        data = data[:place] + inserted + data[place + removed :]
    return data


@settings(max_examples=500, deadline=None)
@given(requests(), MUTATIONS, CUTS)
@example(
    b"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\nContent-Length: 3\r\n\r\nabc",
    [(0, b"", 0)],
    [],
)
@example(b"GET / HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nX-B: 1\r\n\r\n", [(0, b"", 0)], [3, 30])
def test_a_damaged_request_is_refused_or_passed_as_h11_reads_it(
    sent: bytes, changes: list[tuple[int, bytes, int]], cuts: list[int]
) -> None:
    data = mutated(sent, changes)
    passed, _ = by_router(data, cuts)
    if not passed:
        return
    understood = by_h11(data, h11.SERVER)
    at_replica = by_h11(passed[0], h11.SERVER)
    assert at_replica is not None
    assert len(at_replica) == 1
    assert at_replica[0].whole
    if understood is not None:
        assert essence(at_replica[0]) == essence(understood[0])


# Replies


class Recorder:
    """Receives a response, and keeps it as a client would see it."""

    def __init__(self) -> None:
        self.read: Read | None = None

    def early(self, status: int, reason: bytes, fields: Fields) -> bool:
        """Accepts an interim response."""
        return True

    def reply_head(self, head: ReplyHead) -> None:
        """Keeps the head."""
        lines = b"".join(head.pieces).split(b"\r\n")[:-1]
        fields = [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]
        self.read = Read((b"%d" % head.status, head.reason), fields)

    def reply_body(self, piece: bytes) -> None:
        """Keeps the chunk."""
        assert self.read is not None
        self.read.body += piece


@st.composite
def replies(draw: st.DrawFn) -> bytes:
    """Generates a well-formed response, sometimes after an interim one."""
    status = draw(st.sampled_from([b"200 OK", b"204 No Content", b"304 Not Modified", b"404 Not here", b"299 \xe9"]))
    early = draw(st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early\r\nLink: a\r\n\r\n"]))
    body = draw(BODIES)
    names = draw(st.lists(st.tuples(st.sampled_from(["X-A", "Set-Cookie", "ETag"]), VALUES), max_size=3))
    fields = "".join(f"{name}: {value}\r\n" for name, value in names).encode("latin-1")
    if status[:3] in (b"204", b"304"):
        framed = b"\r\n"
    elif draw(st.booleans()):
        framed = b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    else:
        framed = b"Transfer-Encoding: chunked\r\n\r\n" + draw(chunked(body))
    return early + b"HTTP/1.1 " + status + b"\r\n" + fields + framed


def reply_by_router(data: bytes, cuts: list[int], method: bytes) -> tuple[Read | None, ReplyReader]:
    """Lets the router read a response in chunks."""
    recorder, reader = Recorder(), ReplyReader()
    reader.expect(recorder, method)
    start = 0
    for end in sorted({min(cut, len(data)) for cut in cuts} | {len(data)}):
        if data[start:end] and not reader.done and not reader.broken:
            reader.feed(data[start:end])
        start = end
    return recorder.read, reader


def reply_essence(read: Read) -> tuple[object, ...]:
    """Returns the parts of a response that must be the same on both sides."""
    gone = (b"transfer-encoding", b"connection", b"upgrade")
    return (*read.start, [(n, v) for n, v in read.fields if n.lower() not in gone], read.body)


@settings(max_examples=150, deadline=None)
@given(replies(), CUTS)
def test_clients_get_the_answer_that_h11_reads_however_it_is_cut(sent: bytes, cuts: list[int]) -> None:
    read, reader = reply_by_router(sent, cuts, b"GET")
    (understood,) = by_h11(sent, h11.CLIENT) or ()
    assert read is not None
    assert reader.done
    assert reader.reusable
    assert reply_essence(read) == reply_essence(understood)


@settings(max_examples=500, deadline=None)
@given(replies(), MUTATIONS, CUTS, st.sampled_from([b"GET", b"HEAD"]))
def test_a_damaged_answer_is_not_reused_or_ends_where_h11_sees_its_end(
    sent: bytes, changes: list[tuple[int, bytes, int]], cuts: list[int], method: bytes
) -> None:
    data = mutated(sent, changes)
    read, reader = reply_by_router(data, [], method)
    understood = by_h11(data, h11.CLIENT, method)
    if read is None or not reader.reusable or not understood:
        return
    assert understood[0].whole
    assert (read.start, read.body) == (understood[0].start, understood[0].body)


@pytest.mark.parametrize("leftover", [b"X", b"HTTP/1.1 200 OK\r\n", b"0\r\n\r\n"])
def test_bytes_behind_an_answer_make_its_connection_unusable(leftover: bytes) -> None:
    _, reader = reply_by_router(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + leftover, [], b"GET")
    assert reader.done
    assert not reader.reusable
