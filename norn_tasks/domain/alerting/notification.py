"""Notifications: the content that is sent to a receiver, its signature, and the pauses between tries.

A receiver of JSON gets one POST for each alert that is raised and each that is resolved. People get one message for a
whole burst of reports. The signature proves the sender and the time. The delivery's id shows whether the receiver has
it already, because a delivery whose answer was lost is sent again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from norn_tasks.domain.alerting.destination import NotificationFormat
from norn_tasks.domain.secret import Sealed, Secret

_PREFIX = "whsec_"
LONGEST_PAUSE = 3600.0
"""The longest pause, in seconds, between two tries of a notification."""


CALL_ENDED = "call.ended"
"""The event of a report of the end of a call; of each other event an alert or a test is the cause."""


class DeliveryState(StrEnum):
    """The state of a delivery."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given-up"


@dataclass(frozen=True)
class Parcel:
    """A delivery as a worker sends it, with its destination's secret still sealed."""

    id: str
    """The id under which the receiver sees it."""
    event: str
    """The event that it reports."""
    url: str
    """The address of the destination."""
    sealed: Sealed | None
    """The secret that signs it; None in every format but `json`."""
    body: Mapping[str, Any]
    """The report."""
    at: int
    """The database's clock in seconds since 1970."""
    format: NotificationFormat = NotificationFormat.JSON
    """The format in which the destination reads."""
    others: tuple[Mapping[str, Any], ...] = ()
    """Reports that go in the same message."""
    to: tuple[str, ...] = ()
    """The mail addresses that have not received it yet; none: all addresses of the destination."""

    def content(self) -> bytes:
        """Returns the bytes of the body, the same on every try."""
        return json.dumps(self.body, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()

    def headers(self, secret: Secret) -> dict[str, str]:
        """Returns the headers of the request; the signature is over `<timestamp>.<body>`."""
        return {
            "Content-Type": "application/json",
            "X-Norn-Event": self.event,
            "X-Norn-Delivery": self.id,
            "X-Norn-Timestamp": str(self.at),
            "X-Norn-Signature": sign(secret.reveal(), self.at, self.content()),
        }


def fresh_secret() -> str:
    """Returns a new secret for a receiver: 256 random bits."""
    return _PREFIX + secrets.token_urlsafe(32)


def sign(secret: str, timestamp: int, content: bytes) -> str:
    """Returns the signature of a body: HMAC-SHA256 over the timestamp, a dot and the bytes."""
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + content, hashlib.sha256)
    return f"sha256={signed.hexdigest()}"
