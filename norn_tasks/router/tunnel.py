"""After a switch to another protocol: bytes are passed unchanged in both directions, until both sides have ended."""

from __future__ import annotations

from typing import Protocol


class TunnelSide(Protocol):
    """One of the two connections."""

    def write(self, data: bytes) -> None:
        """Sends bytes."""

    def write_eof(self) -> None:
        """Ends the sending side."""

    def close(self) -> None:
        """Ends the connection after sending the bytes that are still queued."""


class SwitchedStreams:
    """Two connections that pass bytes to each other."""

    __slots__ = ("_client", "_client_ended", "_replica", "_replica_ended")

    def __init__(self, client: TunnelSide, replica: TunnelSide) -> None:
        self._client, self._replica = client, replica
        self._client_ended = self._replica_ended = False

    def from_client(self, data: bytes) -> None:
        """Passes bytes to the replica."""
        self._replica.write(data)

    def from_replica(self, data: bytes) -> None:
        """Passes bytes to the client."""
        self._client.write(data)

    def client_ended(self) -> None:
        """Ends the sending side toward the replica, because the client sends no more."""
        self._client_ended = True
        self._end(self._replica)

    def replica_ended(self) -> None:
        """Ends the sending side toward the client, because the replica sends no more."""
        self._replica_ended = True
        self._end(self._client)

    def _end(self, other: TunnelSide) -> None:
        if self._client_ended and self._replica_ended:
            self._client.close()
            self._replica.close()
        else:
            other.write_eof()
