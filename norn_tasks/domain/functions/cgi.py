"""The output of a function with `response: cgi`: header lines, an empty line, and the body (RFC 3875, section 6).

A function may set the status and a few headers. Headers that the server sets itself, such as Content-Length, are left
out. Any other header fails the call with a sentence for the function's author, because a header that is silently
dropped would look like a defect of Norn.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.wording import shown

MOST_HEADERS, MOST_BYTES = 32, 8 * 1024
"""The most headers that an answer may have, and the most bytes that all of them may have together."""
HEAD_MOST = MOST_BYTES + 4
"""The most bytes before the body: the headers, and the empty line that ends them."""
_SINGLE = frozenset({
    "content-type", "content-disposition", "content-language", "cache-control", "etag", "last-modified", "location",
})  # fmt: skip
_REPEATABLE = frozenset({"vary", "link"})
_COMPUTED = frozenset({"content-length", "date", "server", "connection"})
"""Headers that frameworks print and that the server sets itself; they are left out."""
_RESERVED = ("x-norn-", "x-accel-", "x-sendfile", "x-lighttpd-", "x-reproxy-", "x-forwarded-", "x-request-id",
             "x-content-type-options")  # fmt: skip
"""Headers that a function may not set: Norn's own, and headers with which a function could control a proxy in front of
Norn.

Such a header could make the proxy send a file, or forward the request to another server.
"""
_BLANK = re.compile(rb"\r?\n\r?\n")
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,80}")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_STATUS = re.compile(r"([2-5]\d\d)(?: [\t\x20-\x7e]*)?")
_WITHOUT_BODY = (204, 304)
_LIST = "Content-Type, -Disposition, -Language, Cache-Control, ETag, Last-Modified, Location, Vary, Link and X-*"


@dataclass(frozen=True)
class FunctionAnswer:
    """A function's answer, as its client gets it."""

    status: int
    """The HTTP status."""
    headers: tuple[tuple[str, str], ...]
    """The headers that the function set, in order."""
    body: bytes
    """The body."""


def parse(output: bytes) -> FunctionAnswer:
    """Returns the answer that a function's output describes; raises InvalidRequest if the output is not an answer."""
    block, body = _split(output)
    lines = [line.removesuffix("\r") for line in block.decode("latin-1").split("\n")] if block else []
    if len(lines) > MOST_HEADERS:
        raise _refused(f"it has {len(lines)} header lines, and {MOST_HEADERS} are allowed")
    status: int | None = None
    headers: list[tuple[str, str]] = []
    for line in lines:
        name, value = _header(line)
        if name.lower() == "status":
            status = _status(value, status)
        elif _allowed(name, headers):
            headers.append((name, value))
    found = status or (302 if any(name.lower() == "location" for name, _ in headers) else 200)
    return FunctionAnswer(found, tuple(headers), b"" if found in _WITHOUT_BODY else body)


def _split(output: bytes) -> tuple[bytes, bytes]:
    if output.startswith((b"\n", b"\r\n")):
        return b"", output[output.index(b"\n") + 1 :]
    end = _BLANK.search(output[:HEAD_MOST])
    if end is None:
        few = len(output) <= MOST_BYTES
        raise _refused(
            "no empty line ends its headers" if few else f"its headers have more than {MOST_BYTES} bytes",
        )
    return output[: end.start()], output[end.end() :]


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    value = value.strip(" \t")
    if not colon or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise _refused(f"{shown(line)} is not a header line")
    return name, value


def _status(value: str, before: int | None) -> int:
    if before is not None:
        raise _refused("Status is there twice")
    found = _STATUS.fullmatch(value)
    if found is None:
        raise _refused(f"Status: {shown(value)} is not a status from 200 to 599")
    return int(found[1])


def _allowed(name: str, before: list[tuple[str, str]]) -> bool:
    """Returns True if the function may set the header, and False if it is ignored because the server sets it itself;
    raises InvalidRequest for any other header.
    """
    lower = name.lower()
    if lower in _COMPUTED:
        return False
    if lower in _SINGLE and any(lower == other.lower() for other, _ in before):
        raise _refused(f"{name} is there twice")
    if lower in _SINGLE or lower in _REPEATABLE or (lower.startswith("x-") and not lower.startswith(_RESERVED)):
        return True
    raise _refused(f"a function may not set the header {name}")


def _refused(sentence: str) -> InvalidRequest:
    return InvalidRequest(
        f"its output is not an answer of response: cgi: {sentence}",
        hint=f"print header lines ({_LIST}; for the status a line such as Status: 404), an empty line and the body; "
        "or set response: raw in infraspec.yaml",
    )
