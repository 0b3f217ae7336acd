"""The client's connection, as its exchange uses it."""

from __future__ import annotations

from typing import Protocol

from norn_tasks.router.tunnel import SwitchedStreams


class Requester(Protocol):
    """The client's connection, as its exchange uses it."""

    def write(self, data: bytes) -> None:
        """Sends bytes of an answer."""

    def write_eof(self) -> None:
        """Ends the sending side."""

    def close(self) -> None:
        """Ends the connection after sending the bytes that are still queued."""

    def abort(self) -> None:
        """Ends the connection immediately, so that the client sees that the answer is incomplete."""

    def hold(self, held: bool) -> None:
        """Stops reading the body, or continues."""

    def answered(self, *, closing: bool) -> None:
        """Ends the exchange, because its answer is complete; with `closing`, ends the connection too."""

    def switched(self, tunnel: SwitchedStreams) -> bytes:
        """Makes the connection a tunnel for another protocol; returns the bytes of that protocol that the client has
        already sent.
        """
