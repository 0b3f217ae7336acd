"""Counts the open connections on replicas that leave or drain; the status of an app shows these numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping


class ConnectionCounts:
    """The counts of this router and of its predecessor, while there is one; `write` is called with the counts that have
    changed.
    """

    def __init__(self, write: Callable[[Mapping[str, int]], None]) -> None:
        self._write = write
        self._written: dict[str, int] = {}
        self._there: dict[str, int] = {}

    def there(self, container: str, count: int) -> None:
        """Notes how many connections the predecessor has open on a replica."""
        self._there[container] = count

    def predecessor_gone(self) -> None:
        """Forgets the counts of the predecessor."""
        self._there.clear()

    def report(self, here: Mapping[str, int], *, again: bool = False) -> None:
        """Writes the counts that have changed since the last report; with `again`, writes all of them, because a write
        may get lost.
        """
        counts = {container: count + self._there.get(container, 0) for container, count in here.items()}
        changed = {each: n for each, n in counts.items() if again or self._written.get(each) != n}
        self._written = counts
        if changed:
            self._write(changed)
