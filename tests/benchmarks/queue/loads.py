"""Loads on a queue: jobs sent by eight threads, all at once, at a steady rate, or as many as the queue can run."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.benchmarks.queue.subject import Send, Subject
from tests.servers import wait_until

CLIENTS = 8
OUTSTANDING = 200
"""The largest number of jobs that wait or run at the same time while `saturated` sends as many as the queue can run."""
LOOK_SECONDS = 0.2
_numbers = itertools.count()


@dataclass
class Sent:
    """The accepted jobs: by id, when each was sent (`began`) and when it was `accepted`. `refused` counts the jobs that
    were not accepted.
    """

    began: dict[str, float] = field(default_factory=dict)
    accepted: dict[str, float] = field(default_factory=dict)
    refused: int = 0

    def lags(self, ends: Mapping[str, float]) -> list[float]:
        """Returns the seconds from the sending of each job to its end, for jobs that have ended."""
        return [ends[job] - at for job, at in self.began.items() if job in ends]


class Clients:
    """Eight threads that send jobs; each has a sender of its own, and a new one after a failure."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._local = threading.local()
        self._lock = threading.Lock()
        self.sent = Sent()

    def one(self, _: object = None) -> None:
        """Sends one job. A failure is counted; after it, the thread pauses for a moment."""
        began = time.time()
        try:
            job = self._sender()(next(_numbers))
        except Exception:  # noqa: BLE001 - each queue has errors of its own
            self._local.send = None
            with self._lock:
                self.sent.refused += 1
            time.sleep(0.2)
            return
        with self._lock:
            self.sent.began[job], self.sent.accepted[job] = began, time.time()

    def _sender(self) -> Send:
        send: Send | None = getattr(self._local, "send", None)
        if send is None:
            send = self._local.send = self._subject.sender()
        return send

    def burst(self, count: int) -> None:
        """Sends `count` jobs as fast as the queue accepts them."""
        with ThreadPoolExecutor(CLIENTS) as threads:
            list(threads.map(self.one, range(count)))

    def paced(self, rate: float, seconds: float) -> None:
        """Sends jobs at a steady rate; a job whose moment has passed is sent at once."""
        start = time.monotonic()
        moments = iter([start + k / rate for k in range(int(seconds * rate))])

        def loop() -> None:
            while (moment := self._next(moments)) is not None:
                time.sleep(max(0.0, moment - time.monotonic()))
                self.one()

        self._all(loop)

    def _next(self, moments: Iterator[float]) -> float | None:
        with self._lock:
            return next(moments, None)

    def saturated(self, seconds: float) -> float:
        """Sends as many jobs as the queue can run; returns how many it ended per second in the last two thirds."""
        before, end = self._subject.ended(), time.monotonic() + seconds
        looked = [(time.monotonic(), before)]

        def loop() -> None:
            while time.monotonic() < end:
                if len(self.sent.accepted) - (looked[-1][1] - before) < OUTSTANDING:
                    self.one()
                else:
                    time.sleep(0.005)

        with _running(lambda: looked.append((time.monotonic(), self._subject.ended())), LOOK_SECONDS):
            self._all(loop)
        first = next(each for each in looked if each[0] >= looked[0][0] + seconds / 3)
        return (looked[-1][1] - first[1]) / (looked[-1][0] - first[0])

    def _all(self, loop: object) -> None:
        threads = [threading.Thread(target=loop) for _ in range(CLIENTS)]  # type: ignore[arg-type]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


@contextmanager
def _running(look: object, pause: float) -> Iterator[None]:
    """Calls a function again and again on a thread of its own, with a pause between two calls, until the block ends."""
    done = threading.Event()

    def loop() -> None:
        while not done.wait(pause):
            look()  # type: ignore[operator]

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def await_ends(subject: Subject, before: int, count: int, seconds: float) -> None:
    """Waits until `count` more jobs than `before` have ended; raises AssertionError if that takes longer than
    `seconds`.
    """
    wait_until(lambda: subject.ended() - before >= count, seconds, f"{subject.name} has ended {count} jobs")
