"""Follows one job to its end, through broken streams and restarts of the server.

The stream of events only says that something changed; the job itself is read again each time. So an event that arrives
twice, late or never only changes how soon the user sees it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from norn_cli.answers import Json
from norn_cli.client import Client
from norn_cli.errors import CliError, NotNorn, Refused, Unreachable

AWAY_SECONDS = 60.0
_POLL_SECONDS = 1.0
_LAST_LINES_SECONDS = 2.0
_REASON_SECONDS = 2.0
_ENDED = frozenset({"succeeded", "failed", "cancelled", "superseded", "expired", "dead", "error"})


@dataclass(frozen=True)
class JobUpdate:
    """The job as it is now."""

    job: Json

    @property
    def ended(self) -> bool:
        """True if the job has ended."""
        return self.job.get("state") in _ENDED


@dataclass(frozen=True)
class OutputChunk:
    """A line that a step wrote."""

    step: str
    line: str


@dataclass(frozen=True)
class Away:
    """The server does not respond at the moment; `error` says why."""

    error: CliError


@dataclass(frozen=True)
class Lost:
    """The job can no longer be followed: the server has not responded for a minute, or refuses the requests."""

    error: CliError


@dataclass(frozen=True)
class SpinnerTick:
    """No change has arrived for a moment; the caller repaints its spinner."""


Change = JobUpdate | OutputChunk | Away | Lost | SpinnerTick


class Following:
    """One job, followed in the background; `changes` yields what happens until the job has ended."""

    def __init__(self, client: Client, job: int, *, logs: bool) -> None:
        self._client, self._job = client, job
        self._queue: SimpleQueue[Change] = SimpleQueue()
        self._over = threading.Event()
        self._watch = self._thread(self._follow_job)
        self._wait = self._thread(self._follow_reason)
        self._read = self._thread(self._follow_logs) if logs else None
        self._queued = False

    def changes(self, *, tick: float, until: float | None, every_line: bool = False) -> Iterator[Change]:
        """Yields each change as it arrives, and a SpinnerTick after `tick` seconds without one, until the job's end or
        `until`.

        `until` is a monotonic time. With `every_line` it also waits for the last lines of the steps.
        """
        self._start()
        try:
            last: JobUpdate | None = None
            while last is None and (until is None or time.monotonic() < until):
                change = self._next(tick)
                if isinstance(change, JobUpdate) and change.ended:
                    last = change
                else:
                    yield change
            if last:
                yield from self._remaining_lines() if every_line else ()
                yield last
        finally:
            self._over.set()

    def _thread(self, work: Callable[[], None]) -> threading.Thread:
        return threading.Thread(target=self._reported, args=(work,), daemon=True)

    def _reported(self, work: Callable[[], None]) -> None:
        """Runs the work of a thread. If the work raises an unforeseen error, the following ends with that error instead
        of waiting forever.
        """
        try:
            work()
        except Exception as error:  # noqa: BLE001 - it is shown
            sentence = f"job {self._job} can no longer be followed: {type(error).__name__}: {error}"
            self._queue.put(Lost(CliError(sentence, hint=f"norn jobs show {self._job}")))

    def _start(self) -> None:
        self._watch.start()
        self._wait.start()
        if self._read:
            self._read.start()

    def _next(self, tick: float) -> Change:
        try:
            return self._queue.get(timeout=tick)
        except Empty:
            return SpinnerTick()

    def _remaining_lines(self) -> Iterator[Change]:
        if self._read:
            self._read.join(_LAST_LINES_SECONDS)
        while not self._queue.empty():
            change = self._queue.get()
            if isinstance(change, OutputChunk):
                yield change

    # The job

    def _follow_job(self) -> None:
        after, away_since = "", None
        while not self._over.is_set():
            try:
                if self._look():
                    return
                away_since = None
                after = self._follow_stream(after)
            except (Unreachable, NotNorn, Refused) as error:
                away_since = away_since or time.monotonic()
                if not _passing(error) or time.monotonic() - away_since > AWAY_SECONDS:
                    self._queue.put(Lost(error))
                    return
                self._queue.put(Away(error))
            self._over.wait(_POLL_SECONDS)

    def _look(self) -> bool:
        seen = JobUpdate(self._client.job(self._job))
        self._queued = seen.job.get("state") == "queued"
        self._queue.put(seen)
        return seen.ended

    def _follow_reason(self) -> None:
        """Reads a queued job again from time to time: the reason why it waits changes without an event of its own."""
        while not self._over.wait(_REASON_SECONDS):
            if self._queued:
                with suppress(Unreachable, NotNorn, Refused):  # the thread that follows the job reports these errors
                    self._look()

    def _follow_stream(self, after: str) -> str:
        """Reads the job again at every event; returns the id to resume at if the stream breaks or cannot be opened."""
        try:
            for event in self._client.job_events(self._job, after):
                after = event.id or after
                if self._over.is_set() or self._look():
                    break
        except (Unreachable, NotNorn, Refused):
            # Without a stream the job is read every second. These reads also notice a server that does not respond.
            pass
        return after

    # The output of its steps

    def _follow_logs(self) -> None:
        reading = _LineJoiner()
        while not self._over.is_set():
            try:
                for piece in self._client.job_log_pieces(self._job):
                    for wrote in reading.lines(piece):
                        self._queue.put(wrote)
                for wrote in reading.rest():
                    self._queue.put(wrote)
                if JobUpdate(self._client.job(self._job)).ended:
                    return
            except (Unreachable, NotNorn, Refused):
                # The thread that follows the job reports a server that does not respond. Here the lines only arrive
                # later.
                pass
            self._over.wait(_POLL_SECONDS)


def pieces(client: Client, job: int, step: str, *, follow: bool) -> Iterator[Json]:
    """Yields the output of a job's steps in chunks, each once; with `follow`, until the job ends.

    With `follow`, a server that does not respond is tried again for a minute; after that, the error is raised.
    """
    last: dict[str, int] = {}
    over, away_since = not follow, None
    while True:
        try:
            for piece in client.job_log_pieces(job, step=step, follow=not over):
                away_since = None
                if piece["seq"] > last.get(piece["step"], -1):
                    last[piece["step"]] = piece["seq"]
                    yield piece
            if over:
                return
            over = JobUpdate(client.job(job)).ended  # the output that was written until now is read below
        except (Unreachable, NotNorn, Refused) as error:
            away_since = away_since or time.monotonic()
            if not follow or not _passing(error) or time.monotonic() - away_since > AWAY_SECONDS:
                raise
        if not over:
            time.sleep(_POLL_SECONDS)


class _LineJoiner:
    """Joins the chunks of the steps' output into lines, each once, even if chunks arrive again after a reconnect."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._open: dict[str, str] = {}

    def lines(self, piece: Json) -> Iterator[OutputChunk]:
        step, seq = str(piece.get("step", "")), int(piece.get("seq", 0))
        if seq <= self._last.get(step, -1):
            return
        self._last[step] = seq
        *whole, self._open[step] = (self._open.get(step, "") + str(piece.get("text", ""))).split("\n")
        for line in whole:
            yield OutputChunk(step, line)

    def rest(self) -> Iterator[OutputChunk]:
        for step, line in self._open.items():
            if line:
                yield OutputChunk(step, line)
        self._open.clear()


def _passing(error: CliError) -> bool:
    return isinstance(error, Unreachable | NotNorn) or (isinstance(error, Refused) and error.temporary)
