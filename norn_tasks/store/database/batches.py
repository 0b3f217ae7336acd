"""Combines writes of many threads that are ready at the same time into one transaction, because a commit costs the same
for one row as for ten.

There is no timer and no additional thread. If no thread is writing, a new request is written at once by its own thread.
Requests that arrive during a write wait for its end, and are written together as the next batch. So a batch is as large
as the load makes it, and a request that is alone waits for nothing.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from norn_tasks.domain.errors import DatabaseDown

A = TypeVar("A")
R = TypeVar("R")


class _BatchedRequest(Generic[A, R]):
    """A request of one thread, and its outcome. `turn` is set when the outcome is there, or when its thread must write
    the next batch.
    """

    def __init__(self, request: A) -> None:
        self.request = request
        self.turn = threading.Event()
        self.result: R | None = None
        self.error: BaseException | None = None
        self.done = False

    def outcome(self) -> R:
        if self.error is not None:
            raise self.error
        result: R = self.result  # type: ignore[assignment] # R may itself be None
        return result


class Batches(Generic[A, R]):
    """Runs requests of many threads in batches of at most `most`. `write` returns the results in order."""

    def __init__(self, write: Callable[[Sequence[A]], Sequence[R]], most: int = 64) -> None:
        self._write, self._most = write, most
        self._lock = threading.Lock()
        self._waiting: deque[_BatchedRequest[A, R]] = deque()
        self._busy = False

    def ask(self, request: A) -> R:
        """Returns the result of the request, once its batch has been written; raises the error with which its batch
        failed.

        If a batch of several requests fails, and the database is not the reason, each of its requests is tried alone,
        so that none fails because of another one.
        """
        mine: _BatchedRequest[A, R] = _BatchedRequest(request)
        with self._lock:
            self._waiting.append(mine)
            waits, self._busy = self._busy, True
        if waits:
            mine.turn.wait()
        if not mine.done:
            self._lead()
        return mine.outcome()

    def _lead(self) -> None:
        """Writes a batch of waiting requests, of which this thread's own is the first; then lets the thread of the next
        waiting request write.
        """
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
        try:
            self._run(batch)
        finally:
            with self._lock:
                following = self._waiting[0] if self._waiting else None
                self._busy = following is not None
            for each in batch:
                each.done = True
                each.turn.set()
            if following is not None:
                following.turn.set()

    def _run(self, batch: list[_BatchedRequest[A, R]]) -> None:
        try:
            for each, result in zip(batch, self._write([each.request for each in batch]), strict=True):
                each.result = result
        except BaseException as error:  # noqa: BLE001 - raised in the thread of each request
            if len(batch) > 1 and not isinstance(error, DatabaseDown):
                for each in batch:
                    self._run([each])
                return
            for each in batch:
                each.error = error
