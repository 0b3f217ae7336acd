"""The routing table: which replicas take an app's requests, how many are open on each, and which are drained.

It is built again from the rows at every read. A replica that stays keeps its connections and its count; one that left
gets no new requests, and is reported as drained the moment its last open request ends.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from time import monotonic

from norn_tasks.router.backend import Backend
from norn_tasks.store.replicas.routes import Route, Routes

_LATER, _LAST = 1_000_000, 2_000_000
"""Added to the count of open requests, so that a replica is chosen later: one that lately refused a connection, and one
that failed this request.
"""


class Entry:
    """An app's part of the table."""

    def __init__(self, route: Route, backends: tuple[Backend, ...], turn: int = 0) -> None:
        self.route = route
        self.backends = backends
        self.turn = turn

    def choose(self, refused: Set[Backend], shunned: Backend | None) -> Backend | None:
        """Returns the live replica with the fewest open requests; if several have as few, they take turns; None if none
        is left.

        `refused` are never taken; `shunned`, and replicas that lately did not accept a connection, only when there is
        no other.
        """
        self.turn += 1
        backends, best, fewest = self.backends, None, 0
        start = self.turn % max(1, len(backends))
        for n in range(start - len(backends), start):  # from `start` on, and around the end
            backend = backends[n]
            if backend in refused:
                continue
            load = backend.open
            if backend.rests_until and backend.rests_until > monotonic():
                load += _LATER
            if backend is shunned:
                load += _LAST
            if best is None or load < fewest:
                best, fewest = backend, load
        return best


class OpenRequest:
    """A request that counts as open on a replica until `end` is called, or until the end of a with block."""

    __slots__ = ("_ended", "_table", "backend")

    def __init__(self, backend: Backend, table: Table) -> None:
        self.backend = backend
        self._table = table
        self._ended = False
        backend.open += 1

    def end(self) -> None:
        """Stops counting it; a second call changes nothing."""
        if not self._ended:
            self._ended = True
            self._table.ended(self.backend)

    def __enter__(self) -> OpenRequest:
        """Returns itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends it."""
        self.end()


class Table:
    """All apps' entries; `drained` is called with each container that has left and has no open request."""

    def __init__(self, drained: Callable[[str], None]) -> None:
        self._drained = drained
        self._entries: dict[str, Entry] = {}
        self._live: dict[str, Backend] = {}
        self._left: set[Backend] = set()
        self._leaving: frozenset[str] = frozenset()

    def entry(self, app: str) -> Entry | None:
        """Returns the app's entry, None when it no longer has an address."""
        return self._entries.get(app)

    def apply(self, read: Routes) -> None:
        """Makes the table agree with the rows."""
        before, self._live = self._live, {}
        self._entries = {route.app: self._renewed(route, before) for route in read.routes}
        for backend in set(before.values()) - set(self._live.values()):
            backend.retire()
            if backend.open:
                self._left.add(backend)
        self._leaving = read.leaving
        busy = {backend.container for backend in self._left}
        for container in read.leaving - busy:
            self._drained(container)

    def _renewed(self, route: Route, before: dict[str, Backend]) -> Entry:
        for target in route.targets:
            known = before.get(target.container)
            same = known is not None and known.address == target.address
            self._live[target.container] = known if known and same else Backend(target.container, target.address)
        backends = tuple(self._live[target.container] for target in route.targets)
        earlier = self._entries.get(route.app)
        return Entry(route, backends, earlier.turn if earlier else 0)

    def open_request(self, backend: Backend) -> OpenRequest:
        """Counts a request as open on a replica."""
        return OpenRequest(backend, self)

    def ended(self, backend: Backend) -> None:
        """Counts one fewer open request; called by `OpenRequest`."""
        backend.open -= 1
        if not backend.open and backend in self._left:
            self._left.discard(backend)
            still = any(other.container == backend.container for other in self._left)
            if backend.container in self._leaving and not still:
                self._drained(backend.container)

    def open_on_left(self) -> dict[str, int]:
        """Returns how many requests are open on each container that leaves or drains and is not drained yet."""
        counts = dict.fromkeys(self._leaving, 0)
        for backend in self._left:
            if backend.container in counts:
                counts[backend.container] += backend.open
        return counts

    def sweep(self, now: float) -> None:
        """Closes connections to replicas that have been idle for too long."""
        for backend in self._live.values():
            backend.sweep(now)

    def close(self) -> None:
        """Closes every idle connection."""
        for backend in self._live.values():
            backend.retire()
