"""Follows one job to its end, over broken streams and restarts of the server.

The stream of events only says that something changed; what is true is read from the job itself. So an event that comes
twice, late or never changes nothing but how soon the user sees it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from norn_cli.client import Client
from norn_cli.errors import CliError, NotNorn, Refused, Unreachable

Json = dict[str, Any]

AWAY_SECONDS = 60.0
_POLL_SECONDS = 1.0
_LAST_LINES_SECONDS = 2.0
_ENDED = frozenset({"succeeded", "failed", "cancelled", "superseded", "expired", "dead", "error"})


@dataclass(frozen=True)
class Seen:
    """The job as it is now."""

    job: Json

    @property
    def ended(self) -> bool:
        """True when nothing more will happen to it."""
        return self.job.get("state") in _ENDED


@dataclass(frozen=True)
class Wrote:
    """A line that a step wrote."""

    step: str
    line: str


@dataclass(frozen=True)
class Away:
    """The server does not answer for the moment; `error` says how."""

    error: CliError


@dataclass(frozen=True)
class Lost:
    """It did not answer for a minute, or refuses: the following is over."""

    error: CliError


@dataclass(frozen=True)
class Tick:
    """Nothing changed; time for a spinner to turn."""


Change = Seen | Wrote | Away | Lost | Tick


class Following:
    """One job, followed in the background; `changes` answers what happened until the job has ended."""

    def __init__(self, client: Client, job: int, *, logs: bool) -> None:
        self._client, self._job = client, job
        self._queue: SimpleQueue[Change] = SimpleQueue()
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._follow_job, daemon=True)
        self._read = threading.Thread(target=self._follow_logs, daemon=True) if logs else None

    def changes(self, *, tick: float, until: float | None, every_line: bool = False) -> Iterator[Change]:
        """Answers each change as it comes and a Tick every `tick` seconds; ends after the job's end or at `until`.

        `until` is a monotonic time; with `every_line` the last lines of the steps are waited for.
        """
        self._start()
        try:
            last: Seen | None = None
            while last is None and (until is None or time.monotonic() < until):
                change = self._next(tick)
                if isinstance(change, Seen) and change.ended:
                    last = change
                else:
                    yield change
            if last:
                yield from self._remaining_lines() if every_line else ()
                yield last
        finally:
            self._over.set()

    def _start(self) -> None:
        self._watch.start()
        if self._read:
            self._read.start()

    def _next(self, tick: float) -> Change:
        try:
            return self._queue.get(timeout=tick)
        except Empty:
            return Tick()

    def _remaining_lines(self) -> Iterator[Change]:
        if self._read:
            self._read.join(_LAST_LINES_SECONDS)
        while not self._queue.empty():
            change = self._queue.get()
            if isinstance(change, Wrote):
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
        seen = Seen(self._client.job(self._job))
        self._queue.put(seen)
        return seen.ended

    def _follow_stream(self, after: str) -> str:
        """Looks again at every event; answers where to resume when the stream breaks or is not to be had."""
        try:
            for event in self._client.job_events(self._job, after):
                after = event.id or after
                if self._over.is_set() or self._look():
                    break
        except (Unreachable, NotNorn, Refused):
            # Without a stream the job is looked at every second; a server that is away is told from that look.
            pass
        return after

    # What its steps write

    def _follow_logs(self) -> None:
        reading = _Pieces()
        while not self._over.is_set():
            try:
                for piece in self._client.job_log_pieces(self._job):
                    for wrote in reading.lines(piece):
                        self._queue.put(wrote)
                for wrote in reading.rest():
                    self._queue.put(wrote)
                if Seen(self._client.job(self._job)).ended:
                    return
            except (Unreachable, NotNorn, Refused):
                # The job's own thread tells when the server is away; here lines are only late.
                pass
            self._over.wait(_POLL_SECONDS)


def pieces(client: Client, job: int, step: str, *, follow: bool) -> Iterator[Json]:
    """Answers what a job's steps wrote, piece by piece, each once; `follow`: to the job's end.

    A server that is away is waited for as long as while following the job itself.
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
            over = Seen(client.job(job)).ended  # what it wrote up to then is still to be read
        except (Unreachable, NotNorn, Refused) as error:
            away_since = away_since or time.monotonic()
            if not follow or not _passing(error) or time.monotonic() - away_since > AWAY_SECONDS:
                raise
        if not over:
            time.sleep(_POLL_SECONDS)


class _Pieces:
    """Puts the pieces of the steps' output together into lines, each once, whatever comes twice after a reconnect."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._open: dict[str, str] = {}

    def lines(self, piece: Json) -> Iterator[Wrote]:
        step, seq = str(piece.get("step", "")), int(piece.get("seq", 0))
        if seq <= self._last.get(step, -1):
            return
        self._last[step] = seq
        *whole, self._open[step] = (self._open.get(step, "") + str(piece.get("text", ""))).split("\n")
        for line in whole:
            yield Wrote(step, line)

    def rest(self) -> Iterator[Wrote]:
        for step, line in self._open.items():
            if line:
                yield Wrote(step, line)
        self._open.clear()


def _passing(error: CliError) -> bool:
    return isinstance(error, Unreachable | NotNorn) or (isinstance(error, Refused) and error.temporary)
