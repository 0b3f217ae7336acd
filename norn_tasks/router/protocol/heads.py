"""The only changes that the router makes in the head of a message: it removes hop-by-hop fields and adds forwarding
fields.

All other fields pass unchanged, including repeated ones, their order, and upper and lower case (RFC 9110 7.6.1, RFC
9112 6.3).
"""

from __future__ import annotations

from collections.abc import Set
from typing import NamedTuple

Fields = list[tuple[bytes, bytes]]
FoundFields = dict[bytes, list[bytes]]
"""The fields of a head that change how the router behaves: their values in order, by lower-case name."""

LENGTH_MAX = 2**63 - 1
"""The largest Content-Length that passes. A larger one would overflow in a reader that counts with 64 bits."""

_HOP_BY_HOP = frozenset((b"connection", b"upgrade", b"keep-alive", b"te", b"transfer-encoding")) | {
    b"proxy-connection",
    b"proxy-authenticate",
    b"proxy-authorization",
}
_NOT_TO_REPLICA = _HOP_BY_HOP | {b"x-forwarded-for"}
_NEVER_NAMED = frozenset((b"host", b"content-length"))
"""Fields that `Connection` cannot remove, because they say which server is meant and where the body ends."""
_NO_NAMES = _NEVER_NAMED | {b"close", b"keep-alive"}
"""Tokens of `Connection` that need no action: they name no field, or a field that is always or never removed."""
_USUAL = {value: frozenset((value.lower(),)) for value in (b"close", b"Close", b"keep-alive", b"Keep-Alive")}
"""The tokens of the usual values of `Connection`."""
_NOT_IN_TRAILERS = (
    _HOP_BY_HOP
    | _NEVER_NAMED
    | {b"trailer", b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"}
)
"""Fields for framing or routing. They are removed from trailers, because a reader that merges trailers into the head
would obey them.
"""
_ACTED_UPON = _NOT_TO_REPLICA | _NEVER_NAMED | {b"expect", b"x-forwarded-proto", b"x-forwarded-host"}
_NOTHING: frozenset[bytes] = frozenset()


class RequestHead(NamedTuple):
    """The head of a request as the replica gets it, and the facts about it that the router needs."""

    method: bytes
    raw: bytes
    """The complete head, including the empty line."""
    modern: bool
    """True for a client of HTTP/1.1, which understands chunks, 1xx answers and connections that stay open."""
    length: int | None
    """The size of the body in bytes; None for a chunked body, because its size is only known at its end."""
    closes: bool
    """True if the client's connection must end after this request."""
    expects_continue: bool
    upgrades: bool


class RequestRefused(Exception):
    """Raised when a request must not be passed on, because two readers could see different requests in it."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


def found_in(fields: Fields) -> FoundFields:
    """Returns the fields that change how the router behaves."""
    return _sorted(fields, _HOP_BY_HOP)[0]


def _sorted(fields: Fields, dropped: frozenset[bytes]) -> tuple[FoundFields, list[bytes]]:
    """Returns the fields that change how the router behaves, and the pieces of the lines that are passed on."""
    found: FoundFields = {}
    pieces: list[bytes] = []
    for name, value in fields:
        lower = name.lower()
        if lower in _ACTED_UPON:
            if lower in found:
                found[lower].append(value)
            else:
                found[lower] = [value]
            if lower in dropped:
                continue
        pieces += (name, b": ", value, b"\r\n")
    if b"connection" in found and (named := named_by_connection(found) - _NO_NAMES) and (named := named - dropped):
        kept = [field for field in fields if field[0].lower() not in named | dropped]
        pieces = [piece for name, value in kept for piece in (name, b": ", value, b"\r\n")]
    return found, pieces


def refusal(method: bytes, version: str, found: FoundFields) -> tuple[int, str] | None:
    """Returns status and sentence for a request that must not be passed on, None for any other."""
    if method == b"CONNECT":
        return 400, "CONNECT is for proxies; this address serves an app"
    if version not in ("1.1", "1.0"):
        return 400, f"HTTP/{version} is not supported"
    if len(found.get(b"host", ())) != 1 and (b"host" in found or version == "1.1"):
        return 400, "a request has one Host"
    if b"transfer-encoding" in found:
        return _coding_refused(version, found)
    if b"content-length" in found and length_of(found) is None:
        return 400, f"its Content-Length is no number up to {LENGTH_MAX}"
    return None


def _coding_refused(version: str, found: FoundFields) -> tuple[int, str] | None:
    if b"content-length" in found:
        return 400, "a request has a Content-Length or a Transfer-Encoding, not both"
    if version == "1.0":
        return 400, "HTTP/1.0 has no Transfer-Encoding"
    if not is_chunked(found):
        return 501, "chunked is the only known transfer coding"
    return None


def length_of(found: FoundFields) -> int | None:
    """Returns the Content-Length; None if it is missing, repeated, or not a number up to LENGTH_MAX."""
    values = found.get(b"content-length", ())
    if len(values) != 1:
        return None
    digits = values[0]
    if len(digits) < 19 and digits.isdigit():  # certainly less than the largest
        return int(digits)
    digits = digits.strip(b" \t")
    length = int(digits) if digits.isdigit() and len(digits) < 20 else LENGTH_MAX + 1
    return length if length <= LENGTH_MAX else None


def is_chunked(found: FoundFields) -> bool:
    """Returns True when chunked is the only transfer coding."""
    values = found[b"transfer-encoding"]
    return len(values) == 1 and values[0].strip(b" \t").lower() == b"chunked"


def named_by_connection(found: FoundFields) -> frozenset[bytes]:
    """Returns the tokens of the Connection fields in lower case."""
    values = found.get(b"connection")
    if values is None:
        return _NOTHING
    if len(values) == 1 and values[0] in _USUAL:
        return _USUAL[values[0]]
    tokens = b",".join(values).split(b",")
    return frozenset([token.strip(b" \t").lower() for token in tokens])


def request_head(
    method: bytes, target: bytes, version: str, fields: Fields, peer: bytes, address: bytes
) -> RequestHead:
    """Returns the head for the replica; raises RequestRefused if the request must not be passed on.

    `peer` is the client's IP address; `address` is used as Host if the client sends none.
    """
    found, pieces = _sorted(fields, _NOT_TO_REPLICA)
    if refused := refusal(method, version, found):
        raise RequestRefused(*refused)
    named = named_by_connection(found)
    upgrade = b", ".join(found[b"upgrade"]) if b"upgrade" in found and b"upgrade" in named else b""
    chunked = b"transfer-encoding" in found
    if chunked:
        pieces.append(b"Transfer-Encoding: chunked\r\n")
    if upgrade:
        pieces.append(b"Connection: Upgrade\r\nUpgrade: %s\r\n" % upgrade)
    _forward(pieces, found, named, peer, address)
    length = (length_of(found) or 0) if b"content-length" in found else 0
    modern = version == "1.1"
    return RequestHead(
        method,
        b"%s %s HTTP/1.1\r\n%s\r\n" % (method, target, b"".join(pieces)),
        modern,
        None if chunked else length,
        not modern or b"close" in named,
        modern and b"expect" in found and found[b"expect"][0].lower() == b"100-continue",
        upgrade != b"",
    )


def _forward(pieces: list[bytes], found: FoundFields, named: Set[bytes], peer: bytes, address: bytes) -> None:
    """Adds the forwarding fields, and a Host if there is none. Fields that an earlier proxy has set are kept."""
    host = found[b"host"][0] if b"host" in found else address
    if b"host" not in found:
        pieces[:0] = (b"Host: ", host, b"\r\n")
    hops = b", ".join([*found[b"x-forwarded-for"], peer]) if b"x-forwarded-for" in found else peer
    pieces += (b"X-Forwarded-For: ", hops, b"\r\n")
    if b"x-forwarded-proto" not in found or b"x-forwarded-proto" in named:
        pieces.append(b"X-Forwarded-Proto: http\r\n")
    if b"x-forwarded-host" not in found or b"x-forwarded-host" in named:
        pieces += (b"X-Forwarded-Host: ", host, b"\r\n")


def answer_fields(fields: Fields) -> tuple[FoundFields, list[bytes]]:
    """Returns the fields of an answer that change how the router behaves, and the lines that are passed on to the
    client.
    """
    found, pieces = _sorted(fields, _HOP_BY_HOP)
    if b"transfer-encoding" in found and b"content-length" in found:
        return found, _sorted(fields, _HOP_BY_HOP | {b"content-length"})[1]
    return found, pieces


def answer_head(status: int, reason: bytes, pieces: list[bytes], *, chunked: bool, closing: bool) -> bytes:
    """Returns the head of an answer for the client; with `closing`, the client's connection ends after the answer."""
    coding = b"Transfer-Encoding: chunked\r\n" if chunked else b""
    end = b"Connection: close\r\n\r\n" if closing else b"\r\n"
    return b"HTTP/1.1 %d %s\r\n%s%s%s" % (status, reason, b"".join(pieces), coding, end)


def early_head(status: int, reason: bytes, fields: Fields) -> bytes:
    """Returns the head of a 1xx answer for the client; the head of a 101 keeps the name of the new protocol."""
    found, pieces = _sorted(fields, _HOP_BY_HOP)
    if status == 101:
        pieces.append(b"Connection: Upgrade\r\nUpgrade: %s\r\n" % b", ".join(found.get(b"upgrade", ())))
    return b"HTTP/1.1 %d %s\r\n%s\r\n" % (status, reason, b"".join(pieces))


def trailer_lines(fields: Fields) -> bytes:
    """Returns the lines of the trailers that are passed on: all except fields for framing or routing (RFC 9110
    6.5.1).
    """
    return b"".join([b"%s: %s\r\n" % field for field in fields if field[0].lower() not in _NOT_IN_TRAILERS])
