"""What the router changes in a head, and nothing else: hop-by-hop fields go, forwarding fields come, all other fields
pass as they are, doubles, order and letter case included (RFC 9110 7.6.1, RFC 9112 6.3).
"""

from __future__ import annotations

from collections.abc import Iterable

import h11

Fields = list[tuple[bytes, bytes]]

_HOP_BY_HOP = frozenset((b"connection", b"upgrade", b"keep-alive", b"te", b"transfer-encoding")) | {
    b"proxy-connection",
    b"proxy-authenticate",
    b"proxy-authorization",
}
_NEVER_NAMED = frozenset((b"host", b"content-length"))
"""Fields that `Connection` cannot take away: who is asked and where the body ends."""


def refusal(request: h11.Request) -> str | None:
    """Says why a request must not be passed on: two readers could see different requests in it."""
    names = {name for name, _ in request.headers}
    if request.method == b"CONNECT":
        return "CONNECT is for proxies; this address serves an app"
    if b"transfer-encoding" in names and b"content-length" in names:
        return "a request has a Content-Length or a Transfer-Encoding, not both"
    if b"transfer-encoding" in names and request.http_version < b"1.1":
        return "HTTP/1.0 knows no Transfer-Encoding"
    return None


def toward_replica(request: h11.Request, peer: str, address: str) -> h11.Request:
    """Answers the request as the replica gets it. `peer`: the client's IP; `address`: the Host of a client without."""
    given = dict(request.headers)
    host = given.get(b"host", address.encode())
    fields = _kept(request.headers.raw_items(), request.headers, drop=frozenset((b"x-forwarded-for",)))
    if b"host" not in given:
        fields.insert(0, (b"Host", host))
    if b"transfer-encoding" in given:
        fields.append((b"Transfer-Encoding", b"chunked"))
    if upgrade := _upgrade(request.headers):
        fields += [(b"Connection", b"Upgrade"), (b"Upgrade", upgrade)]
    return h11.Request(
        method=request.method, target=request.target, headers=fields + _forwarding(request.headers, fields, peer, host)
    )


def _forwarding(given: Iterable[tuple[bytes, bytes]], passed: Fields, peer: str, host: bytes) -> Fields:
    hops = [value for name, value in given if name == b"x-forwarded-for"]
    said = {name.lower() for name, _ in passed}
    once = ((b"X-Forwarded-Proto", b"http"), (b"X-Forwarded-Host", host))
    return [
        (b"X-Forwarded-For", b", ".join([*hops, peer.encode()])),
        *((name, value) for name, value in once if name.lower() not in said),
    ]


def toward_client(response: h11.Response, *, closing: bool = False) -> h11.Response:
    """Answers the response as the client gets it; `closing`: and then the connection ends."""
    chunked = any(name == b"transfer-encoding" for name, _ in response.headers)
    drop = frozenset((b"content-length",)) if chunked else frozenset()
    fields = _kept(response.headers.raw_items(), response.headers, drop=drop)
    if closing:
        fields.append((b"Connection", b"close"))
    return h11.Response(status_code=response.status_code, headers=fields, reason=response.reason)


def early_toward_client(early: h11.InformationalResponse) -> h11.InformationalResponse:
    """Answers a 1xx as the client gets it; of a 101 the new protocol's name is kept."""
    fields = _kept(early.headers.raw_items(), early.headers)
    if early.status_code == 101:
        fields += [(b"Connection", b"Upgrade"), (b"Upgrade", _upgrade(early.headers) or b"")]
    return h11.InformationalResponse(status_code=early.status_code, headers=fields, reason=early.reason)


def body_size(request: h11.Request) -> int | None:
    """Answers how many bytes the request's body has, None when only its end will tell."""
    given = dict(request.headers)
    return None if b"transfer-encoding" in given else int(given.get(b"content-length", b"0"))


def _kept(raw: Fields, fields: Iterable[tuple[bytes, bytes]], drop: frozenset[bytes] = frozenset()) -> Fields:
    gone = _HOP_BY_HOP | (_named(fields) - _NEVER_NAMED) | drop
    return [(name, value) for name, value in raw if name.lower() not in gone]


def _named(fields: Iterable[tuple[bytes, bytes]]) -> frozenset[bytes]:
    values = [value for name, value in fields if name == b"connection"]
    return frozenset(token.strip().lower() for value in values for token in value.split(b","))


def _upgrade(fields: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    fields = list(fields)
    wanted = b", ".join(value for name, value in fields if name == b"upgrade")
    return wanted if wanted and b"upgrade" in _named(fields) else None
