"""The two heads of an exchange: what is taken out of them, what is added, and what is refused."""

from __future__ import annotations

import h11
import pytest

from norn_tasks.router.answers import not_served
from norn_tasks.router.heads import body_size, refusal, toward_client, toward_replica
from norn_tasks.store.routes import Route

Fields = list[tuple[str, str]]


def request(*fields: tuple[str, str], method: str = "GET", version: str = "1.1") -> h11.Request:
    return h11.Request(method=method, target="/", headers=[("Host", "a"), *fields], http_version=version)


def passed(*fields: tuple[str, str]) -> Fields:
    head = toward_replica(request(*fields), "10.0.0.1", "127.0.0.1:18800")
    return [(name.decode(), value.decode()) for name, value in head.headers.raw_items()]


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
    head = h11.Response(status_code=200, headers=[("Transfer-Encoding", "chunked"), ("Content-Length", "5")])
    assert list(toward_client(head).headers) == []


@pytest.mark.parametrize(
    ("head", "size"),
    [
        (request(), 0),
        (request(("Content-Length", "70000")), 70_000),
        (request(("Transfer-Encoding", "chunked")), None),
    ],
)
def test_the_size_of_a_body_is_known_unless_chunked(head: h11.Request, size: int | None) -> None:
    assert body_size(head) == size


def test_an_ordinary_request_is_not_refused() -> None:
    assert refusal(request(("Content-Length", "5"), method="POST")) is None


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
