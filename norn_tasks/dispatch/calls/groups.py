"""Accepts asynchronous calls: one transaction accepts the calls of a function that arrive together.

Many threads of an API process accept calls at the same time, and share the wait for the disk (`Batches`). A call that
is alone waits for no other call.

If the queue of a function may be full, its calls are not accepted here but one by one, because the waiting calls must
be counted first. After a count, some further calls may be accepted without another count (`UncountedPlaces`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from norn_tasks.domain.errors import DeadlockVictim
from norn_tasks.store.database import session
from norn_tasks.store.database.batches import Batches
from norn_tasks.store.database.session import Database
from norn_tasks.store.runs import async_calls
from norn_tasks.store.runs.async_calls import AsyncCall, KnownRelease
from norn_tasks.store.runs.runs import AcceptedRun

MOST = 32
"""The most calls that one transaction accepts."""


@dataclass(frozen=True)
class _Request:
    """A call that waits to be written. All calls of a process have the same database and patience."""

    database: Database
    call: AsyncCall
    patience: float


_Group = Batches[_Request, AcceptedRun | None]


class CallGroups:
    """The groups of a process, one for each release that is called; safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: dict[KnownRelease, _Group] = {}
        self.uncounted = UncountedPlaces()

    def accept(
        self, database: Database, release: KnownRelease, call: AsyncCall, *, patience: float
    ) -> AcceptedRun | None:
        """Accepts a call and returns its run. Returns None if the call must be accepted alone, because another release
        may be live by now or the transaction was the victim of a deadlock. Raises DatabaseDown or Unconfirmed.
        """
        before = session.changes_of_thread()
        run = self._group(release).ask(_Request(database, call, patience))
        if run is not None and session.changes_of_thread() == before:
            session.count_change()  # the thread of another call has committed this one
        return run

    def _group(self, release: KnownRelease) -> _Group:
        with self._lock:
            if len(self._groups) > 1000:
                self._groups.clear()  # threads that wait in a group keep it until they are served
            return self._groups.setdefault(release, Batches(partial(_write, release), MOST))


def _write(release: KnownRelease, requests: Sequence[_Request]) -> Sequence[AcceptedRun | None]:
    first = requests[0]
    try:
        calls = [each.call for each in requests]
        runs = async_calls.accept(first.database, release, calls, patience=first.patience)
    except DeadlockVictim:
        runs = None
    return runs or [None] * len(requests)


class UncountedPlaces:
    """How many calls of each function this process may still accept without counting the waiting calls.

    After a count, 1/32 of the free places may be taken without another count, for one second. So several processes
    together exceed the limit of the queue by at most the places that their last counts have allowed.
    """

    PART, SECONDS, MANY = 32, 1.0, 10_000

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._left: dict[tuple[str, str], tuple[int, float]] = {}

    def allow(self, app: str, holder: str, free: int) -> None:
        """Records the result of a count: `free` more calls of the app may wait, from the sender `holder`, or from all
        senders together if `holder` is "".
        """
        with self._lock:
            if len(self._left) >= self.MANY:
                self._left.clear()
            self._left[(app, holder)] = free // self.PART, self._clock() + self.SECONDS

    def take(self, app: str, holder: str) -> bool:
        """Takes the place of one call; returns False if the waiting calls must be counted first."""
        with self._lock:
            kept = {key: self._left.get(key, (0, 0.0)) for key in {(app, ""), (app, holder)}}
            if any(left < 1 or until < self._clock() for left, until in kept.values()):
                return False
            self._left.update({key: (left - 1, until) for key, (left, until) in kept.items()})
            return True
