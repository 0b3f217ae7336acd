"""Limits the queue of a function: if the queue is full, a call is refused immediately instead of waiting for long.

Synchronous and asynchronous calls are counted separately, because synchronous ones begin first.
"""

from __future__ import annotations

from norn_tasks.dispatch.calls.groups import UncountedPlaces
from norn_tasks.domain.errors import TooManyRequests
from norn_tasks.settings import Settings
from norn_tasks.store.database.session import Tx
from norn_tasks.store.runs import waiting_calls

AGAIN_SECONDS, AGAIN_LATER_SECONDS = 1.0, 10.0
"""Seconds after which a refused synchronous call, or a refused asynchronous call, may be tried again."""


class QueueFull(TooManyRequests):
    """Raised when the queue of the function is full."""

    code = "queue_full"


def require_place(tx: Tx, settings: Settings, app: str, *, sync: bool, holder: str, uncounted: UncountedPlaces) -> None:
    """Raises QueueFull if the function's queue is full; notes in `uncounted` how many more asynchronous calls may wait.

    `holder` identifies the sender: asynchronous calls of one sender may fill at most half of the queue.
    """
    most = settings.calls_waiting if sync else settings.async_waiting
    kind, name = ("synchronous", "NORN_CALLS_WAITING") if sync else ("asynchronous", "NORN_ASYNC_WAITING")
    free = waiting_calls.free_places(tx, app, sync=sync, most=most)
    if free < 1:
        raise QueueFull(
            f"{most} {kind} calls of {app} wait already",
            hint=f"try again in a moment, or raise function.concurrency in its infraspec.yaml, or {name} on the server",
            retry_after=AGAIN_SECONDS if sync else AGAIN_LATER_SECONDS,
        )
    if not sync:
        _require_share(tx, app, holder, max(1, most // 2), uncounted)
        uncounted.allow(app, "", free)


def _require_share(tx: Tx, app: str, holder: str, share: int, uncounted: UncountedPlaces) -> None:
    if not holder:
        return
    free = waiting_calls.free_places_of(tx, app, holder, sync=False, most=share)
    if free < 1:
        raise QueueFull(
            f"{share} asynchronous calls of {app} with your token wait already; the rest of the queue is for others",
            hint="try again in a moment; a token of scope admin may fill the queue",
            retry_after=AGAIN_LATER_SECONDS,
        )
    uncounted.allow(app, holder, free)
