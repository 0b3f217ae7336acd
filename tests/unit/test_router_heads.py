"""The heads of request and response in the router: which fields are removed, which are added, and which heads are
refused.
"""

from __future__ import annotations

import pytest

from norn_tasks.router.protocol.answers import not_served
from norn_tasks.router.protocol.heads import RequestHead, answer_fields, found_in, refusal, request_head
from norn_tasks.store.replicas.routes import Route

Fields = list[tuple[str, str]]


def raw(*fields: tuple[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in (("Host", "a"), *fields)]


def request(*fields: tuple[str, str], method: str = "GET") -> RequestHead:
    return request_head(method.encode(), b"/", "1.1", raw(*fields), peer=b"10.0.0.1", address=b"127.0.0.1:18800")


def passed(*fields: tuple[str, str]) -> Fields:
    lines = request(*fields).raw.decode().split("\r\n")[1:-2]
    return [(name, value) for name, _, value in (line.partition(": ") for line in lines)]


def test_connection_cannot_take_away_host_or_length() -> None:
    fields = passed(("Connection", "Host, Content-Length, X-A"), ("Content-Length", "3"), ("X-A", "1"))
    assert [name for name, _ in fields[:2]] == ["Host", "Content-Length"]
    assert "X-A" not in dict(fields)


def test_connection_cannot_take_away_the_forwarding_fields() -> None:
    fields = dict(passed(("Connection", "X-Forwarded-For, X-Forwarded-Proto"), ("X-Forwarded-Proto", "https")))
    assert (fields["X-Forwarded-For"], fields["X-Forwarded-Proto"]) == ("10.0.0.1", "http")


def test_upgrade_needs_both_fields() -> None:
    assert "Upgrade" not in dict(passed(("Upgrade", "websocket")))
    assert dict(passed(("Upgrade", "websocket"), ("Connection", "Upgrade")))["Upgrade"] == "websocket"


def test_http2_settings_do_not_pass_so_that_no_replica_speaks_http2_here() -> None:
    fields = dict(passed(("Upgrade", "h2c"), ("Connection", "Upgrade, HTTP2-Settings"), ("HTTP2-Settings", "AAMAAABk")))
    assert "HTTP2-Settings" not in fields


def test_a_chunked_answer_has_no_length() -> None:
    fields = [(b"Transfer-Encoding", b"chunked"), (b"Content-Length", b"5")]
    assert answer_fields(fields)[1] == []


@pytest.mark.parametrize(
    ("head", "size"),
    [
        (request(), 0),
        (request(("Content-Length", "70000")), 70_000),
        (request(("Transfer-Encoding", "chunked")), None),
    ],
)
def test_the_size_of_a_body_is_known_unless_chunked(head: RequestHead, size: int | None) -> None:
    assert head.length == size


def test_an_ordinary_request_is_not_refused() -> None:
    assert refusal(b"POST", "1.1", found_in(raw(("Content-Length", "5")))) is None


@pytest.mark.parametrize(
    ("route", "sentence"),
    [
        (Route("blog", 1, ()), "blog is forged and has no live release yet"),
        (Route("blog", 1, (), release=3, wanted=2), "blog: 0 of 2 replicas are ready"),
        (Route("blog", 1, (), release=3, wanted=1), "blog: 0 of 1 replica is ready"),
        (Route("blog", 1, (), release=3, wanted=0), "blog is scaled to 0 replicas"),
        (Route("blog", 1, (), forge="tearing_down", release=3), "blog is being torn down"),
        (Route("blog", 1, (), forge="unforged"), "blog has no infrastructure (norn forge blog)"),
    ],
)
def test_an_app_without_live_replica_says_why(route: Route, sentence: str) -> None:
    assert not_served(route) == sentence
