"""Rate limits against guessing and flooding: a token bucket per key."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_MANY_KEYS = 10_000
"""When there are this many buckets, full ones are deleted."""


class Buckets:
    """Token buckets: each key may make `burst` requests at once, and `per_second` in the long run. Safe for many
    threads.

    `processes`: the number of API processes that share the limit. They share no memory, so each of them allows its part
    of the limit.
    """

    def __init__(
        self, burst: float, per_second: float, clock: Callable[[], float] = time.monotonic, *, processes: int = 1
    ) -> None:
        self._burst = max(1.0, burst / processes)
        self._per_second = per_second / processes
        self._clock = clock
        self._lock = threading.Lock()
        self._levels: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> float:
        """Takes one token from the key's bucket; returns 0, or the seconds until a token will be available."""
        with self._lock:
            now = self._clock()
            level, at = self._levels.get(key, (self._burst, now))
            level = min(self._burst, level + (now - at) * self._per_second)
            if level < 1:
                self._levels[key] = (level, now)
                return (1 - level) / self._per_second
            self._forget_full(now)
            self._levels[key] = (level - 1, now)
            return 0.0

    def _forget_full(self, now: float) -> None:
        """Limits the memory: deletes buckets that are full again, because a new bucket would be full too; if too many
        remain, deletes all.
        """
        if len(self._levels) < _MANY_KEYS:
            return
        self._levels = {
            key: (level, at)
            for key, (level, at) in self._levels.items()
            if level + (now - at) * self._per_second < self._burst
        }
        if len(self._levels) >= _MANY_KEYS:
            self._levels.clear()
