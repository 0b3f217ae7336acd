"""A cache of credentials: what the database says about them is remembered for a few seconds, to save queries."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

V = TypeVar("V")
_MANY = 2_000
"""When this many values are remembered, all are deleted."""


class RecentlySeen(Generic[V]):
    """Values by a key, such as the hash of a secret. Each is remembered for `seconds`; a key without a value is not
    remembered. Thread-safe.
    """

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._values: dict[str, tuple[V, float]] = {}

    def get(self, hashed: str, find: Callable[[str], V | None]) -> V | None:
        """Returns the remembered value of a hash, or otherwise the result of `find`."""
        with self._lock:
            kept = self._values.get(hashed)
        if kept is not None and self._clock() < kept[1]:
            return kept[0]
        found = find(hashed)
        if found is not None:
            self._keep(hashed, found)
        return found

    def clear(self) -> None:
        """Forgets every value."""
        with self._lock:
            self._values.clear()

    def _keep(self, hashed: str, found: V) -> None:
        with self._lock:
            if len(self._values) >= _MANY:
                self._values.clear()
            self._values[hashed] = (found, self._clock() + self._seconds)
