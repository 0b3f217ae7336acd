"""Limits the number of requests that occupy a thread or memory for long. Requests above the limit are refused with a
Retry-After.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from norn_tasks.domain.errors import TooManyRequests


@dataclass(frozen=True)
class Share:
    """The part of a limit that the requests of one sender, such as a token, may use at the same time."""

    holder: str
    part: float
    whose: str
    """The name of the holder in an error message, such as `your token`."""

    def of(self, places: int) -> int:
        """Returns how many of `places` the sender may use; at least one."""
        return max(1, int(places * self.part))


class ConcurrencyLimit:
    """A limit on the number of simultaneous requests: each request occupies one of `count` places.

    If requests name shares, no sender can occupy all places and keep others out.
    """

    def __init__(self, count: int, what: str) -> None:
        self.count = count
        self._free = threading.Semaphore(count)
        self._what = what
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()

    def take(self, seconds: float = 0, shares: Sequence[Share] = ()) -> Callable[[], None]:
        """Takes a place, waiting at most `seconds`, and returns a function that releases the place (and may be called
        repeatedly).

        Raises TooManyRequests.
        """
        self._take_shares(shares)
        if not self._free.acquire(timeout=seconds or None, blocking=bool(seconds)):
            self._give_shares(shares)
            raise _full(f"this server already holds {self.count} {self._what}")
        given = threading.Lock()

        def give_back() -> None:
            if given.acquire(blocking=False):
                self._give_shares(shares)
                self._free.release()

        return give_back

    @contextmanager
    def place(self, seconds: float = 0, shares: Sequence[Share] = ()) -> Iterator[None]:
        """Occupies a place inside the block; raises TooManyRequests as `take` does."""
        give_back = self.take(seconds, shares)
        try:
            yield
        finally:
            give_back()

    def _take_shares(self, shares: Sequence[Share]) -> None:
        with self._lock:
            for share in shares:
                most = share.of(self.count)
                if self._held[share.holder] >= most:
                    raise _full(f"{share.whose} already holds {most} {self._what}; the rest is for others")
            self._held.update(share.holder for share in shares)

    def _give_shares(self, shares: Sequence[Share]) -> None:
        with self._lock:
            self._held.subtract(share.holder for share in shares)
            self._held += Counter()  # drops senders that occupy nothing


def _full(sentence: str) -> TooManyRequests:
    return TooManyRequests(sentence, hint="try again in a moment", retry_after=2)
