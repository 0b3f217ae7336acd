"""Which headers of a request are passed to a function; and the manual lists every way in which a call ends."""

from __future__ import annotations

import re

import pytest

from norn_api.calling import calls
from norn_api.calling.calls import HEADERS_MAX, passed_on
from norn_api.web.errors import HeadersTooLarge
from norn_tasks.domain.errors import BadRequest, NornError, NotRecorded, SecretsMissing
from tests.architecture.source import ROOT

OURS = [each for each in vars(calls).values() if isinstance(each, type) and each.__module__ == calls.__name__]


@pytest.mark.parametrize(
    "name",
    [
        "Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Authorization", "Cookie",
        "Proxy-Authorization", "Proxy-Connection", "Cf-Connecting-Ip", "X-Forwarded-For", "X-Norn-Anything",
        "Idempotency-Key", "AUTHORIZATION", "cookie",
    ],
)  # fmt: skip
def test_dropped(name: str) -> None:
    assert passed_on([(name, "x")]) == {}


@pytest.mark.parametrize("name", ["Accept", "Content-Type", "Host", "User-Agent", "X-Custom", "Prefer"])
def test_kept(name: str) -> None:
    assert passed_on([(name, "x")]) == {name.lower(): "x"}


def test_what_connection_names_is_dropped() -> None:
    assert passed_on([("Connection", "close, X-Hop"), ("X-Hop", "x"), ("X-Kept", "y")]) == {"x-kept": "y"}


def test_repeated_headers_are_joined() -> None:
    assert passed_on([("X-A", "1"), ("x-a", "2")]) == {"x-a": "1, 2"}


def test_headers_of_just_the_limit_are_taken() -> None:
    assert passed_on([("x", "y" * (HEADERS_MAX - 1))])


def test_headers_over_the_limit_are_refused() -> None:
    with pytest.raises(HeadersTooLarge):
        passed_on([("x", "y" * HEADERS_MAX)])


def test_nul_is_refused() -> None:
    with pytest.raises(BadRequest):
        passed_on([("X-A", "a\0b")])


@pytest.mark.parametrize("kind", [*OURS, SecretsMissing, NotRecorded], ids=lambda kind: kind.code)
def test_the_manual_has_how_a_call_ends(kind: type[NornError]) -> None:
    table = (ROOT / "docs" / "api.md").read_text().partition("## Functions")[2]
    assert re.search(rf"^\|[^|]+\| {kind.status} \| `{kind.code}`", table, re.MULTILINE)
