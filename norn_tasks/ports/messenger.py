"""The port for messages to the outside: notifications, and the call that shows that the scheduler is alive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from norn_tasks.domain.alerting.notification import Parcel


@dataclass(frozen=True)
class Receipt:
    """The result of a call."""

    taken: bool
    """True if the call was answered with a 2xx status, or if the mail server took the mail and no address must get it
    later.
    """
    outcome: str
    """The answer, or the reason why there was none."""
    pause: float | None = None
    """The seconds for which the receiver asked to wait before the next try."""
    left: tuple[str, ...] = ()
    """The mail addresses that must still get the message, if other addresses have it already."""


class Messenger(Protocol):
    """Calls outside machines, once and for at most 10 s each. If there is no answer, it returns a receipt that says so,
    and raises no error.
    """

    def deliver(self, delivery: int) -> Receipt | None:
        """Sends a delivery to its destination; returns None if nothing is left to send."""

    def call_deadman(self) -> Receipt:
        """Calls the address of the dead man's switch."""


class Outbox(Protocol):
    """The part of the store that a messenger needs."""

    def parcel(self, delivery: int) -> Parcel | None:
        """Returns a delivery that waits; None if nothing is left to send."""
