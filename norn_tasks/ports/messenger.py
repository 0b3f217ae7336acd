"""Telling somebody outside: notifications to their receivers, and the call that says that beat is alive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from norn_tasks.domain.notification import Parcel


@dataclass(frozen=True)
class Receipt:
    """What came of a call: `taken` when it was answered with a 2xx; `told` is the answer, or why there was none."""

    taken: bool
    told: str


class Messenger(Protocol):
    """Calls machines outside, each call once and within 10 s; that nobody answers is a receipt and no error."""

    def deliver(self, delivery: int) -> Receipt | None:
        """Sends a delivery to its destination; None when there is nothing to send any more."""

    def call_deadman(self) -> Receipt:
        """Calls the dead man's address."""


class Outbox(Protocol):
    """What a messenger needs of the store."""

    def parcel(self, delivery: int) -> Parcel | None:
        """Answers a delivery that waits, None when there is nothing to send any more."""
