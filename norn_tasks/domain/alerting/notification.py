"""Notifications: the content that is sent to a receiver, its signature, and the pauses between tries.

A receiver of JSON gets one POST when an alert is raised, and one when it is resolved. People get one message for a
whole burst of reports. The signature proves the sender and the time. A delivery whose answer was lost is sent again;
its id shows the receiver that it has already received this delivery.
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
"""The event that reports the end of a call. All other events report an alert or a test of notifications."""


class DeliveryState(StrEnum):
    """The state of a delivery."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given-up"


@dataclass(frozen=True)
class Parcel:
    """A delivery that a worker has to send; the secret of its destination is still encrypted."""

    id: str
    """The id of the delivery that the receiver sees."""
    event: str
    """The event that it reports."""
    url: str
    """The address of the destination."""
    sealed: Sealed | None
    """The secret for the signature; None for every format except `json`."""
    body: Mapping[str, Any]
    """The report."""
    at: int
    """The time of this try by the database's clock, in seconds since 1970."""
    format: NotificationFormat = NotificationFormat.JSON
    """The format that the destination expects."""
    others: tuple[Mapping[str, Any], ...] = ()
    """Further reports that are sent in the same message."""
    to: tuple[str, ...] = ()
    """The mail addresses that must still get the message; if empty, all addresses of the destination."""

    def content(self) -> bytes:
        """Returns the bytes of the body, which are the same on every try."""
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
