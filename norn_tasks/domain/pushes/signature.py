"""The signature of a push's request, which is checked over the raw bytes before anything in them is parsed.

GitHub and Gitea sign the body with HMAC-SHA256. GitLab signs the id, the time and the body (as in Standard Webhooks) if
the webhook has a signing token; otherwise it sends the secret itself. The secrets that Norn creates work for all of
them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Final, Protocol

_PREFIX = "whsec_"
_HEX = re.compile(r"[0-9a-f]{64}")
OLDEST: Final = 300.0
"""The most seconds by which the time in a signed request may differ from the present time."""
_BARE = ("X-Gitea-Signature", "X-Forgejo-Signature", "X-Gogs-Signature")


class HeaderFields(Protocol):
    """The headers of a request, by their names in any case."""

    def get(self, key: str, /) -> str | None:
        """Returns the value of a header; None if it is missing."""


def fresh_secret() -> str:
    """Returns a new secret of 256 random bits, in the form that GitLab asks of a signing token."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True)
class Proof:
    """A request's proof that its sender knows the secret: a digest of the body, a signature with a time, or the secret
    itself.
    """

    digest: bytes = b""
    """The HMAC-SHA256 of the body."""
    stamped: tuple[bytes, ...] = ()
    """HMACs of `before` followed by the body."""
    before: bytes = b""
    """The id and the time of a request, each with a dot after it."""
    token: bytes = b""
    """The secret itself."""

    def holds(self, secret: str, body: bytes) -> bool:
        """Returns True if the proof was made with this secret. The comparison takes the same time for every wrong
        secret.
        """
        if self.token:
            return hmac.compare_digest(self.token, secret.encode())
        if self.stamped:
            expected = hmac.digest(_signing_key(secret), self.before + body, hashlib.sha256)
            # always compares all of them, so that the time reveals nothing
            return max(hmac.compare_digest(expected, each) for each in self.stamped)
        return hmac.compare_digest(hmac.digest(secret.encode(), body, hashlib.sha256), self.digest)


def proof_of(headers: HeaderFields, now: float) -> Proof | None:
    """Returns the proof in a request's headers.

    Returns None if there is no proof, or if it is malformed, uses another algorithm, or has an old time. Only the first
    known header that is present is used.
    """
    signed = headers.get("X-Hub-Signature-256")
    if signed is not None:
        return _digest(signed.removeprefix("sha256=")) if signed.startswith("sha256=") else None
    for name in _BARE:
        bare = headers.get(name)
        if bare is not None:
            return _digest(bare)
    stamped = headers.get("Webhook-Signature")
    if stamped is not None:
        return _stamped(stamped, headers.get("Webhook-Id") or "", headers.get("Webhook-Timestamp") or "", now)
    token = headers.get("X-Gitlab-Token")
    return Proof(token=token.encode("utf-8", "surrogateescape")) if token else None


def _digest(text: str) -> Proof | None:
    return Proof(digest=bytes.fromhex(text)) if _HEX.fullmatch(text) else None


def _stamped(signatures: str, id: str, at: str, now: float) -> Proof | None:
    if not id or not re.fullmatch(r"[0-9]{1,12}", at, re.ASCII) or abs(now - int(at)) > OLDEST:
        return None
    given = [word.partition(",") for word in signatures.split()[:5]]
    found = tuple(decoded for version, _, text in given if version == "v1" and (decoded := _base64(text)))
    return Proof(stamped=found, before=f"{id}.{at}.".encode("utf-8", "surrogateescape")) if found else None


def _signing_key(secret: str) -> bytes:
    return _base64(secret.removeprefix(_PREFIX))


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
