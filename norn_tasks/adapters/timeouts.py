"""Runs blocking calls that cannot be interrupted (such as those of a client library) on threads of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYetDone
from typing import TypeVar

from norn_tasks.ports import Stop

T = TypeVar("T")

_LOOK = 0.25
"""Seconds between two checks of the stop while a call is running."""


def begin(call: Callable[[], T]) -> Future[T]:
    """Starts a call on a thread of its own; the returned future raises the errors of the call."""
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - the future raises it for its caller
            future.set_exception(error)

    threading.Thread(target=work, name="norn-call", daemon=True).start()
    return future


def wait(future: Future[T], stop: Stop, late: Callable[[T], None] | None = None) -> T:
    """Returns the result of the call; raises Stopped if the stop is set before the call returns.

    If the result arrives after the stop, `late` is called with it, so that it can be undone.
    """
    while True:
        try:
            return future.result(_LOOK)
        except NotYetDone:
            if stop.reason is None:
                continue
            if late is not None:
                future.add_done_callback(lambda done: _undo(done, late))
            stop.check()


def _undo(done: Future[T], late: Callable[[T], None]) -> None:
    if done.exception() is None:
        late(done.result())
