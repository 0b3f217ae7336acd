"""The routing table: which replicas take an app's requests, how many are open on each, and which are drained.

It is rebuilt from rows at every look. What stays keeps its connections and its count; what left takes nothing new, and
the moment its last open request ends it is reported drained.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from norn_tasks.router.backend import Backend
from norn_tasks.store.routes import Route, Routes


class Entry:
    """An app's part of the table."""

    def __init__(self, route: Route, backends: tuple[Backend, ...], turn: int = 0) -> None:
        self.route = route
        self.backends = backends
        self.turn = turn

    def choose(self, refused: set[Backend], shunned: Backend | None) -> Backend | None:
        """Picks the live replica with the fewest open requests, in turn when several have; None when none is left.

        `refused` are out of the question; `shunned`, and those that lately did not accept, are taken when no other is.
        """
        now = asyncio.get_running_loop().time()
        self.turn += 1
        start = self.turn % max(1, len(self.backends))
        in_turn = [b for b in self.backends[start:] + self.backends[:start] if b not in refused]
        return min(in_turn, key=lambda b: (b is shunned, b.rests_until > now, b.open), default=None)


class Table:
    """All apps' entries; `drained` is called with each container that has left and has no open request."""

    def __init__(self, drained: Callable[[str], None]) -> None:
        self._drained = drained
        self._entries: dict[str, Entry] = {}
        self._live: dict[str, Backend] = {}
        self._left: set[Backend] = set()
        self._leaving: frozenset[str] = frozenset()

    def entry(self, app: str) -> Entry | None:
        """Answers the app's entry, None when it has no address any more."""
        return self._entries.get(app)

    def apply(self, look: Routes) -> None:
        """Makes the table what the rows say."""
        before, self._live = self._live, {}
        self._entries = {route.app: self._renewed(route, before) for route in look.routes}
        for backend in set(before.values()) - set(self._live.values()):
            backend.retire()
            if backend.open:
                self._left.add(backend)
        self._leaving = look.leaving
        busy = {backend.container for backend in self._left}
        for container in look.leaving - busy:
            self._drained(container)

    def _renewed(self, route: Route, before: dict[str, Backend]) -> Entry:
        for target in route.targets:
            known = before.get(target.container)
            same = known is not None and known.address == target.address
            self._live[target.container] = known if known and same else Backend(target.container, target.address)
        backends = tuple(self._live[target.container] for target in route.targets)
        earlier = self._entries.get(route.app)
        return Entry(route, backends, earlier.turn if earlier else 0)

    @contextmanager
    def open_request(self, backend: Backend) -> Iterator[None]:
        """Counts a request as open on a replica until the block ends."""
        backend.open += 1
        try:
            yield
        finally:
            backend.open -= 1
            if not backend.open and backend in self._left:
                self._let_go(backend)

    def _let_go(self, backend: Backend) -> None:
        self._left.discard(backend)
        still = any(other.container == backend.container for other in self._left)
        if backend.container in self._leaving and not still:
            self._drained(backend.container)

    def sweep(self, now: float) -> None:
        """Closes connections to replicas that have been idle for too long."""
        for backend in self._live.values():
            backend.sweep(now)

    def close(self) -> None:
        """Closes every idle connection."""
        for backend in self._live.values():
            backend.retire()
