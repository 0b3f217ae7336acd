"""Decides what happens to a run's container when its owner (the worker that holds the run's job) stops working on it:
the container is removed, or left for the next owner.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from norn_tasks.domain.errors import Stopped
from norn_tasks.ports import Run, Watch

_HANDED_ON = ("draining", "lease_lost")
"""The reasons for a stop after which a begun run is left for the next owner, who may already have it."""
_AGAIN = 1.0
"""Seconds between two attempts to remove the container of a cancelled run."""


@contextmanager
def owned(
    run: Run, watch: Watch, begun: Callable[[], bool], discard: Callable[[], bool], *, patience: float = float("inf")
) -> Iterator[None]:
    """Removes the container of a run at the end of the block, or leaves it unchanged for the next owner.

    `discard` removes the container and returns False if that fails. Normally it is called only once: if it fails, the
    removal of orphans finds the container later. But a cancelled job must not end before its container is removed, so
    for such a job `discard` is repeated for up to `patience` seconds.
    """
    kept = False
    try:
        yield
    except Stopped:
        kept = begun() and run.outlives_owner and watch.stop.reason in _HANDED_ON
        raise
    finally:
        until = time.monotonic() + patience
        while not kept and not discard() and watch.stop.reason == "cancelled" and time.monotonic() <= until:
            time.sleep(_AGAIN)
