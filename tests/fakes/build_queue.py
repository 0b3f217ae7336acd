"""A queue in which nobody waits (ports.BuildQueue)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from norn_tasks.ports import Watch


class NoQueue:
    """It is always our turn."""

    @contextmanager
    def turn(self, watch: Watch, *, keep: bool = False) -> Iterator[None]:
        """Gives the turn at once, unless the job was told to stop."""
        watch.stop.check()
        yield
