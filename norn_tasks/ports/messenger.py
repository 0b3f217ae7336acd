"""Messages to the outside: notifications to their receivers, and the call that shows that beat is alive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from norn_tasks.domain.alerting.notification import Parcel


@dataclass(frozen=True)
class Receipt:
    """The result of a call."""

    taken: bool
    """The call was answered with a 2xx, or the mail server took the mail and no address has to get it later."""
    outcome: str
    """The answer, or the reason why there was none."""
    pause: float | None = None
    """The seconds for which the receiver asked to wait before the next try."""
    left: tuple[str, ...] = ()
    """The mail addresses that must still get the message, if other addresses have it already."""


class Messenger(Protocol):
    """Calls outside machines, once and for at most 10 s each; if there is no answer, returns a receipt and no error."""

    def deliver(self, delivery: int) -> Receipt | None:
        """Sends a delivery to its destination; None when nothing is left to send."""

    def call_deadman(self) -> Receipt:
        """Calls the dead man's address."""


class Outbox(Protocol):
    """The part of the store that a messenger needs."""

    def parcel(self, delivery: int) -> Parcel | None:
        """Returns a delivery that waits, None when nothing is left to send."""
