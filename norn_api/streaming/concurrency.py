"""Concurrency limits for requests that hold a thread or memory for long; excess requests get a Retry-After."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from norn_tasks.domain.errors import TooManyRequests


class ConcurrencyLimit:
    """A limit on requests at the same time; each place is released exactly once.

    A holder with a name has at most half of the places, so that none of them keeps all others out.
    """

    def __init__(self, count: int, what: str) -> None:
        self.count = count
        self._free = threading.Semaphore(count)
        self._what = what
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()

    def take(self, seconds: float = 0, holder: str = "") -> Callable[[], None]:
        """Takes a place, waiting at most `seconds` for one, and returns the function that releases it (idempotent).

        Raises TooManyRequests.
        """
        self._take_share(holder)
        if not self._free.acquire(timeout=seconds or None, blocking=bool(seconds)):
            self._give_share(holder)
            raise _full(f"this server already holds {self.count} {self._what}")
        given = threading.Lock()

        def give_back() -> None:
            if given.acquire(blocking=False):
                self._give_share(holder)
                self._free.release()

        return give_back

    @contextmanager
    def place(self, seconds: float = 0, holder: str = "") -> Iterator[None]:
        """Holds a place during the block; raises TooManyRequests as `take` does."""
        give_back = self.take(seconds, holder)
        try:
            yield
        finally:
            give_back()

    def _take_share(self, holder: str) -> None:
        share = max(1, self.count // 2)
        with self._lock:
            if holder and self._held[holder] >= share:
                raise _full(f"your token already holds {share} {self._what}, and leaves the others their half")
            self._held[holder] += 1

    def _give_share(self, holder: str) -> None:
        with self._lock:
            self._held[holder] -= 1
            if not self._held[holder]:
                del self._held[holder]


def _full(sentence: str) -> TooManyRequests:
    return TooManyRequests(sentence, hint="try again in a moment", retry_after=2)
