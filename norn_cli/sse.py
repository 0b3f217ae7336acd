"""Parses server-sent events (WHATWG HTML, "Server-sent events") from a stream of bytes that the client reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ServerEvent:
    """One event of a stream: the id with which a client resumes the stream after it, its kind, and its data.

    `kind` is empty for a heartbeat, which only shows that the server is there.
    """

    id: str = ""
    kind: str = ""
    payload: Any = None


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Cuts a stream of bytes at newlines; the last line may end without a newline. Invalid UTF-8 is replaced."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r").decode("utf-8", "replace")
    if rest:
        yield rest.decode("utf-8", "replace")


def events(stream: Iterable[str]) -> Iterator[ServerEvent]:
    """Assembles the lines of an event stream into events; a comment becomes a heartbeat.

    An event that the end of the stream cut off is dropped: the server sends it again when the client resumes.
    """
    last_id, kind, data = "", "", list[str]()
    for line in stream:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield ServerEvent(last_id, kind or "message", _payload("\n".join(data)))
            kind, data = "", []
        elif not name:
            yield ServerEvent(last_id)
        elif name == "id":
            last_id = value
        elif name == "event":
            kind = value
        elif name == "data":
            data.append(value)


def _payload(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
