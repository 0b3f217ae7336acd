"""Responses of functions with `response: cgi`: which output is valid, which is not, and that no other bytes reach the
client.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.functions.cgi import MOST_BYTES, MOST_HEADERS, FunctionAnswer, parse

Headers = tuple[tuple[str, str], ...]
GOOD: list[tuple[bytes, int, Headers, bytes]] = [
    (b"\n", 200, (), b""),
    (b"\r\nbody", 200, (), b"body"),
    (b"Content-Type: text/html\n\n<p>", 200, (("Content-Type", "text/html"),), b"<p>"),
    (b"Content-Type:text/html\r\n\r\n\r\n", 200, (("Content-Type", "text/html"),), b"\r\n"),
    (b"Status: 404 Not Found\nX-A: 1\nX-A: 2\n\nno", 404, (("X-A", "1"), ("X-A", "2")), b"no"),
    (b"status: 201\n\n", 201, (), b""),
    (b"Location: https://example.org/\n\n", 302, (("Location", "https://example.org/"),), b""),
    (b"Status: 201\nLocation: /a\n\n", 201, (("Location", "/a"),), b""),
    (b"Status: 204\n\nleft out", 204, (), b""),
    (b"Content-Length: 5\nDate: now\nServer: x\nConnection: close\n\nbody", 200, (), b"body"),
    (b"X-A: a\n\n\x00\xff\n\n", 200, (("X-A", "a"),), b"\x00\xff\n\n"),
    (b"X-A: b\n" * MOST_HEADERS + b"\n", 200, (("X-A", "b"),) * MOST_HEADERS, b""),
]
BAD = {
    b"": "no empty line",
    b"hello": "no empty line",
    b"hello\n\n": "not a header line",
    b"X-A: 1\n folded\n\n": "not a header line",
    b"X A: 1\n\n": "not a header line",
    b"X-A: \xc3\xbc\n\n": "not a header line",
    b"X-A: a\x00b\n\n": "not a header line",
    b"X-A: a\rb\n\n": "not a header line",
    b"Status: 100\n\n": "not a status",
    b"Status: 999\n\n": "not a status",
    b"Status: 200\nStatus: 200\n\n": "twice",
    b"Status: ok\n\n": "not a status",
    b"Content-Type: a/b\ncontent-type: c/d\n\n": "twice",
    b"X-A: b\n" * (MOST_HEADERS + 1) + b"\n": "33 header lines",
    b"X-A: " + b"b" * MOST_BYTES + b"\n\n": "more than 8192 bytes",
}
CLOSED = (
    "Set-Cookie", "Content-Security-Policy", "Access-Control-Allow-Origin", "X-Norn-Invocation-Id", "x-norn-x",
    "X-Accel-Redirect", "X-Sendfile", "X-Content-Type-Options", "X-Request-Id", "Transfer-Encoding", "Upgrade",
    "Service-Worker-Allowed", "Strict-Transport-Security", "WWW-Authenticate", "Content-Encoding", "Clear-Site-Data",
)  # fmt: skip


@pytest.mark.parametrize(("output", "status", "headers", "body"), GOOD)
def test_answer_is_status_headers_and_body(output: bytes, status: int, headers: Headers, body: bytes) -> None:
    assert parse(output) == FunctionAnswer(status, headers, body)


@pytest.mark.parametrize("output", BAD)
def test_output_that_is_no_answer_is_named(output: bytes) -> None:
    with pytest.raises(InvalidRequest, match=BAD[output]) as refused:
        parse(output)
    assert "Status: 404" in refused.value.hint


@pytest.mark.parametrize("name", CLOSED)
def test_headers_that_would_reach_beyond_the_function_are_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"may not set the header {name}"):
        parse(f"{name}: x\n\n".encode())


@given(st.one_of(st.binary(max_size=300), st.lists(st.binary(max_size=30)).map(b"\n".join)))
def test_whatever_is_printed_sets_no_other_header_and_splits_none(output: bytes) -> None:
    try:
        answer = parse(output)
    except InvalidRequest:
        return
    assert 200 <= answer.status < 600
    for name, value in answer.headers:
        assert not {"\r", "\n", "\0"} & set(name + value)
        assert name.lower().startswith(("x-", "content-", "cache-", "etag", "last-", "location", "vary", "link"))
