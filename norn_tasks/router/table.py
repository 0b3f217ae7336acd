"""The routing table: which replicas get an app's requests, how many requests are open on each, and which replicas are
drained.

It is rebuilt from the rows after every read. A replica that is still in the rows keeps its connections and its count. A
replica that is being removed gets no new requests, and is reported as drained when its last open request ends.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from time import monotonic

from norn_tasks.router.backend import Backend
from norn_tasks.store.replicas.routes import Route, Routes

_LATER, _LAST = 1_000_000, 2_000_000
"""Numbers that are added to the count of open requests, so that a replica is chosen later: if it recently refused a
connection, and if it failed this request.
"""


class Entry:
    """An app's part of the table."""

    def __init__(self, route: Route, backends: tuple[Backend, ...], turn: int = 0) -> None:
        self.route = route
        self.backends = backends
        self.turn = turn

    def choose(self, refused: Set[Backend], shunned: Backend | None) -> Backend | None:
        """Returns the live replica with the fewest open requests; among equals they take turns. Returns None if none is
        left.

        Replicas in `refused` are never chosen. `shunned`, and replicas that recently did not accept a connection, are
        chosen only if there is no other.
        """
        self.turn += 1
        backends, best, fewest = self.backends, None, 0
        start = self.turn % max(1, len(backends))
        for n in range(start - len(backends), start):  # negative first: from `start` to the end, then the others
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
    """A request that counts as open on a replica, until `end` is called or a with block ends."""

    __slots__ = ("_ended", "_table", "backend")

    def __init__(self, backend: Backend, table: Table) -> None:
        self.backend = backend
        self._table = table
        self._ended = False
        backend.open += 1

    def end(self) -> None:
        """Stops counting the request; a second call changes nothing."""
        if not self._ended:
            self._ended = True
            self._table.ended(self.backend)

    def __enter__(self) -> OpenRequest:
        """Returns this object."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stops counting the request."""
        self.end()


class Table:
    """The entries of all apps; `drained` is called with each container that is being removed and has no open
    request.
    """

    def __init__(self, drained: Callable[[str], None]) -> None:
        self._drained = drained
        self._entries: dict[str, Entry] = {}
        self._live: dict[str, Backend] = {}
        self._left: set[Backend] = set()
        self._leaving: frozenset[str] = frozenset()

    def entry(self, app: str) -> Entry | None:
        """Returns the app's entry; None if it has no address any longer."""
        return self._entries.get(app)

    def apply(self, read: Routes) -> None:
        """Rebuilds the table from the rows."""
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
        """Subtracts one open request; called by `OpenRequest`."""
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
