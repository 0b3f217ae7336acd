"""The clients of one address: their number, which of them are idle, and which take too long."""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import dataclass, replace
from typing import Protocol

REFUSALS_MAX = 100
"""The most clients of one address that are sent a 503 at the same time; the connections of further clients are
reset.
"""
CLOSED_AT_ONCE = 64
"""At the limit of connections, one in this many idle clients is closed, but at least one. Closing several together
makes searches for idle clients rare.
"""
LEAVING_IDLE_SECONDS = 10.0
"""How long a client may wait before its next request after another router has replaced this one."""


@dataclass(frozen=True)
class ClientLimits:
    """The limits of the clients of one address."""

    connections: int
    idle_seconds: float
    """How long a client may wait before its next request."""
    head_seconds: float
    """How many seconds the head of a request may take from its first byte."""


class Member(Protocol):
    """A client's connection, as the address to which it belongs uses it."""

    idle_since: float
    """Since when no request is open and no byte of the next one has arrived; 0 at other times."""
    head_since: float
    """When the first part of an incomplete head arrived; 0 if there is no such head."""

    def close_idle(self) -> None:
        """Closes a connection that has no request open."""

    def refuse_slow_head(self) -> None:
        """Sends a 408 to a client whose head takes too long."""

    def turn_away(self, sentence: str) -> None:
        """Sends a 503 to a client that exceeds the limit of connections."""

    def leave(self) -> None:
        """Ends the connection after the open request, or now if none is open."""

    def abort(self) -> None:
        """Ends the connection immediately."""


class Clients:
    """All clients of one address."""

    def __init__(self, app: str, limits: ClientLimits) -> None:
        self.leaving = False
        """True once the router is about to end."""
        self._app = app
        self._limits = limits
        self._members: set[Member] = set()
        self._refused: set[Member] = set()
        self._all_gone = asyncio.Event()

    def arrived(self, member: Member) -> None:
        """Adds a new client. At the limit, the clients that have been idle the longest are closed; if there are none,
        the new client is refused.
        """
        if len(self._members) < self._limits.connections or self._close_longest_idle():
            self._members.add(member)
        elif len(self._refused) < REFUSALS_MAX:
            self._refused.add(member)
            member.turn_away(f"{self._app}: {self._limits.connections} connections are open, and no more are taken")
        else:
            member.abort()

    def _close_longest_idle(self) -> bool:
        idle = [member for member in self._members if member.idle_since or member.head_since]
        for member in heapq.nsmallest(1 + len(idle) // CLOSED_AT_ONCE, idle, key=_since):
            self._members.discard(member)
            member.close_idle()
        return bool(idle)

    def gone(self, member: Member) -> None:
        """Removes a client that has disconnected."""
        self._members.discard(member)
        self._refused.discard(member)
        if self.none_left:
            self._all_gone.set()

    @property
    def none_left(self) -> bool:
        """True if no client is connected."""
        return not self._members and not self._refused

    def sweep(self, now: float) -> None:
        """Closes clients that have been idle, or have been sending one head, for too long."""
        for member in tuple(self._members):
            if member.head_since and now - member.head_since > self._limits.head_seconds:
                member.refuse_slow_head()
            elif member.idle_since and now - member.idle_since > self._limits.idle_seconds:
                member.close_idle()

    def leave_with_next_answer(self) -> None:
        """Ends each connection after its next answer, or after a shorter idle time than usual."""
        self.leaving = True
        idle = min(self._limits.idle_seconds, LEAVING_IDLE_SECONDS)
        self._limits = replace(self._limits, idle_seconds=idle)

    def leave(self) -> None:
        """Ends idle connections now, and busy ones after their open request."""
        self.leaving = True
        for member in (*self._members, *self._refused):
            member.leave()

    async def wait_until_gone(self) -> None:
        """Waits until no client is left."""
        while not self.none_left:
            self._all_gone.clear()
            await self._all_gone.wait()

    def abort(self) -> None:
        """Ends all connections immediately."""
        for member in (*self._members, *self._refused):
            member.abort()


def _since(member: Member) -> float:
    return member.idle_since or member.head_since
