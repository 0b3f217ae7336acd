"""Accepts the asynchronous calls of a function that arrive together in one transaction.

Many threads of an API process accept calls at the same time. The first of them writes its call at once; those that come
while it writes are written together by the next one. So a call that is alone waits for nobody, and many calls share
the wait for the disk.

A call whose function's queue may be full is not accepted here, but one by one, because its place must be counted. Each
count allows some further calls without another count (`UncountedPlaces`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from norn_tasks.domain.errors import DatabaseDown, DeadlockVictim
from norn_tasks.store.database import session
from norn_tasks.store.database.session import Database
from norn_tasks.store.runs import async_calls
from norn_tasks.store.runs.async_calls import AsyncCall, KnownRelease
from norn_tasks.store.runs.runs import AcceptedRun

MOST = 32
"""The most calls that one transaction accepts."""


@dataclass
class _Waiting:
    """A call that waits to be written, and its result: a run, an error, or neither if the call must be accepted
    alone.
    """

    call: AsyncCall
    awake: threading.Event = field(default_factory=threading.Event)
    writes: bool = False
    run: AcceptedRun | None = None
    error: DatabaseDown | None = None


class _Group:
    """The waiting calls of one release; one of their threads writes at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.waiting: list[_Waiting] = []
        self.writing = False


class CallGroups:
    """The groups of a process, one for each function that is called; safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: dict[KnownRelease, _Group] = {}
        self.uncounted = UncountedPlaces()

    def accept(
        self, database: Database, release: KnownRelease, call: AsyncCall, *, patience: float
    ) -> AcceptedRun | None:
        """Accepts a call and returns its run. Returns None if the call must be accepted alone: another release may be
        live by now, or one of the calls that were written with it could not be. Raises DatabaseDown or Unconfirmed.
        """
        group, mine = self._group(release), _Waiting(call)
        with group.lock:
            group.waiting.append(mine)
            mine.writes, group.writing = not group.writing, True
        if not mine.writes:
            mine.awake.wait()
        if mine.writes:
            self._write(database, release, group, patience)
        elif mine.run is not None:
            session.count_change()
        if mine.error is not None:
            raise mine.error
        return mine.run

    def _group(self, release: KnownRelease) -> _Group:
        with self._lock:
            if len(self._groups) > 1000:
                self._groups = {key: group for key, group in self._groups.items() if group.writing}
            return self._groups.setdefault(release, _Group())

    def _write(self, database: Database, release: KnownRelease, group: _Group, patience: float) -> None:
        """Writes the calls that wait by now, and lets the next one write those that have come since."""
        with group.lock:
            batch, group.waiting = group.waiting[:MOST], group.waiting[MOST:]
        try:
            _written(batch, lambda calls: async_calls.accept(database, release, calls, patience=patience))
        finally:
            with group.lock:
                group.writing = bool(group.waiting)
                following = group.waiting[:1]
                for each in following:
                    each.writes = True
            for each in (*following, *batch[1:]):
                each.awake.set()


def _written(batch: list[_Waiting], write: Callable[[list[AsyncCall]], list[AcceptedRun] | None]) -> None:
    try:
        runs = write([each.call for each in batch])
    except DeadlockVictim:
        return
    except DatabaseDown as error:
        for each in batch:
            each.error = type(error)(error.sentence, hint=error.hint, **error.facts)
            each.error.__cause__ = error
        return
    except Exception:
        if len(batch) == 1:
            raise
        return  # each is accepted alone, so that only the one with the mistake fails
    for each, run in zip(batch, runs or (), strict=runs is not None):
        each.run = run


class UncountedPlaces:
    """How many calls of each function this process may still accept without counting those that wait.

    After a count, 1/32 of the free places may be taken without another count, for one second. So several processes
    together exceed the limit of the queue by at most the places that their last counts have allowed.
    """

    PART, SECONDS, MANY = 32, 1.0, 10_000

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._left: dict[tuple[str, str], tuple[int, float]] = {}

    def allow(self, app: str, holder: str, free: int) -> None:
        """Takes note of a count: `free` more calls of the app may wait, from `holder`, or from all senders together if
        `holder` is "".
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
