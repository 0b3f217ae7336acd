"""A fake of `ports.BuildQueue`, in which no build ever waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from norn_tasks.ports import Watch


class NoQueue:
    """Every build gets its turn immediately."""

    @contextmanager
    def turn(self, watch: Watch, *, keep: bool = False) -> Iterator[None]:
        """Gives the turn immediately, unless the job was stopped."""
        watch.stop.check()
        yield
