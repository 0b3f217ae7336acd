"""Notifications: what a receiver of ours is sent, how it is signed, and how long we go on trying.

A receiver sees one POST for each alert that is raised and each that is resolved. It knows by the signature that it
comes from us and when, and by the delivery's id whether it has seen it already: after a lost answer it comes again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.secret import Sealed, Secret

_PREFIX = "whsec_"
_CLEAN = re.compile(r"[\x21-\x7e]{1,2048}")
LONGEST_PAUSE = 3600.0


class DeliveryState(StrEnum):
    """Where a delivery is in its life."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given-up"


@dataclass(frozen=True)
class Parcel:
    """A delivery as a worker sends it, with its destination's secret still sealed.

    `at` is the database's clock in seconds since 1970.
    """

    id: str
    event: str
    url: str
    sealed: Sealed
    body: Mapping[str, Any]
    at: int

    def content(self) -> bytes:
        """Answer the bytes of the body, the same each time."""
        return json.dumps(self.body, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()

    def headers(self, secret: Secret) -> dict[str, str]:
        """Answer what it is sent with; the signature is over `<timestamp>.<body>`."""
        return {
            "Content-Type": "application/json",
            "X-Norn-Event": self.event,
            "X-Norn-Delivery": self.id,
            "X-Norn-Timestamp": str(self.at),
            "X-Norn-Signature": sign(secret.reveal(), self.at, self.content()),
        }


def fresh_secret() -> str:
    """Make a new secret for a receiver: 256 random bits."""
    return _PREFIX + secrets.token_urlsafe(32)


def sign(secret: str, timestamp: int, content: bytes) -> str:
    """Answer the signature of a body: HMAC-SHA256 over the timestamp, a dot and the bytes."""
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + content, hashlib.sha256)
    return f"sha256={signed.hexdigest()}"


def pause_after(attempts: int, first: float) -> float:
    """Answer the seconds between two tries: doubling from `first`, an hour at most."""
    return min(first * 2.0 ** min(attempts - 1, 32), LONGEST_PAUSE)


def outside_url(text: str, *, field: str, private: bool) -> str:
    """Accept an address that Norn may call: https, or also http where an operator allows private addresses."""
    schemes = ("https", "http") if private else ("https",)
    try:
        parts = urlsplit(text)
        known = _CLEAN.fullmatch(text) and parts.scheme in schemes and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise InvalidRequest(
            f"{field}: it is not an https address", hint="write one such as https://hooks.example/norn"
        )
    if "@" in parts.netloc or parts.fragment:
        raise InvalidRequest(
            f"{field}: it holds a password or a fragment", hint="leave out what is before @ and after #"
        )
    return text


def shown_url(url: str) -> str:
    """Answer an address as lists show it: what follows the host is often a secret itself."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/" + ("…" if len(parts.path) > 1 or parts.query else "")
