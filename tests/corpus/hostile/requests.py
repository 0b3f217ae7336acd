"""Requests that Norn's own clients never send, for every route of the API."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_PLACE = re.compile(r"<(?:(\w+):)?(\w+)>")
ENDLESS = (
    "/api/events/stream",
    "/api/stream",
    "/api/apps/<app>/logs",
    "/api/jobs/<id:job>/logs",
    "/api/jobs/<id:job>/events",
    "/api/execs/<id:job>/output",
    "/api/execs/<id:job>/input",
)
"""Routes whose response may never end."""

NAMES = (
    "blog",
    "..",
    "%2e%2e",
    "%00",
    "a%0d%0aX:y",
    "%ff%fe",
    "a" * 300,
    "'--",
    "%F0%9F%98%80",
    "blog%20",
    "BLOG",
    "-x",
    "%25s",
)
IDS = (
    "1",
    "0",
    "-1",
    "9223372036854775807",
    "9223372036854775808",
    "99999999999999999999999999",
    "1e3",
    "0x1",
    "%D9%A1",
    "1%00",
)
BODIES: tuple[tuple[str, bytes], ...] = (
    ("application/json", b""),
    ("application/json", b"{"),
    ("application/json", b"[]"),
    ("application/json", b"null"),
    ("application/json", b"{}"),
    ("application/json", b'{"a": NaN}'),
    ("application/json", b'{"app": "\\ud800"}'),
    ("application/json", b'{"command": ["\\u0000"]}'),
    ("application/json", b'{"replicas": 1e400}'),
    ("application/json", b"\xff\xfe"),
    ("application/json", b'{"ref": "--upload-pack=x", "release": 99999999999999999999, "name": "\\u0000"}'),
    (
        "application/json",
        b'{"replicas": -1, "source": "../x", "secrets": {"A": "\\u0000"}, "url": "https://127.0.0.1"}',
    ),
    ("application/json", b'{"schedule": "* * * * * *", "timezone": "../x", "until": "x", "at": "0000-00-00"}'),
    ("application/json", b'{"a": ' * 5_000 + b"1" + b"}" * 5_000),
    ("application/json", b"[" * 100_000),
    ("application/json", b'{"a":1,"a":2}'),
    ("application/xml", b"<a/>"),
    ("text/yaml", b"a: *b"),
    ("", b"\x00\x01"),
    ("application/json; charset=utf-16", b"{}"),
    ("multipart/form-data; boundary=x", b"--x\r\n"),
    ("application/gzip", b"\x1f\x8b\x08"),
)
QUERIES = (
    "limit=99999999999999999999",
    "limit=-1",
    "limit=x",
    "limit=%D9%A1",
    "before=-1",
    "before=9999999999999999999999",
    "after=x",
    "state=%00",
    "app=%00",
    "app=..",
    "since=0000",
    "since=99999-01-01",
    "until=%FF",
    "x=y",
    "limit=1&limit=2",
    "count=1000000000",
    "tail=-1",
    "kind='",
    "core=maybe",
    "at=%00",
    "file=%0d%0a",
)
KEYS = ("", "a" * 300, "\x01", "é", "a b")


def paths(rule: str) -> Iterator[str]:
    """Yields the path of a route with each odd value for its parameters."""
    numbers = bool(re.search(r"<id:", rule))
    for value in IDS if numbers else NAMES:
        yield _PLACE.sub(value, rule)
        if "<" not in rule:
            return


def all_of_them(rules: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, str, bytes, dict[str, str]]]:
    """Yields method, path, content type, body and headers for routes, each a method and a rule."""
    for method, rule in rules:
        if rule in ENDLESS:
            continue
        usual = _PLACE.sub(lambda place: "1" if place[1] == "id" else "blog", rule)
        for path in paths(rule):
            yield method, path, "application/json", b"{}", {}
        if method in ("GET", "HEAD"):
            yield from ((method, f"{usual}?{query}", "", b"", {}) for query in QUERIES)
        else:
            yield from ((method, usual, kind, body, {}) for kind, body in BODIES)
            yield from ((method, usual, "application/json", b"{}", {"Idempotency-Key": key}) for key in KEYS)
