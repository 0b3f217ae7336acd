"""Places for what holds a thread for long: so many, and whoever comes beyond is told when to come again."""

from __future__ import annotations

import threading
from collections.abc import Callable

from norn_tasks.domain.errors import TooManyRequests


class Places:
    """A number of places; each is given back exactly once."""

    def __init__(self, count: int, what: str) -> None:
        self._free = threading.Semaphore(count)
        self._count = count
        self._what = what

    def take(self) -> Callable[[], None]:
        """Takes a place and answers how to give it back (again and again is fine); raises TooManyRequests."""
        if not self._free.acquire(blocking=False):
            raise TooManyRequests(
                f"this server already holds {self._count} {self._what}", hint="try again in a moment", retry_after=2
            )
        lock, given = threading.Lock(), [False]

        def give_back() -> None:
            with lock:
                if given[0]:
                    return
                given[0] = True
            self._free.release()

        return give_back
