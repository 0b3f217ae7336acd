"""Reads the live stream of a job that reads an app's logs; keeps the position, counts the missed lines, and notices how
the job ended.

When the worker of the job dies, another worker takes the job over and sends some lines again. The reader notices that,
because the numbers of the lines begin at 1 again; their positions say which of them are new.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from norn_api.streaming.log_places import LogPlaces
from norn_tasks.domain.errors import EngineDown, NornError, NotFound, Unavailable
from norn_tasks.store.broker.live import Live, LiveLine
from norn_tasks.store.database.session import Database
from norn_tasks.store.queue import jobs_read

FIRST_SECONDS = 5.0
"""Seconds for which a response waits for the first line, so that an early failure can be sent as an error response."""


class LiveReading:
    """A live stream that is being read: its position, and whether it has ended."""

    def __init__(self, live: Live, database: Database, job: int) -> None:
        self._live = live
        self._database = database
        self.job = job
        self._place = "0"
        self._read = 0
        self._positions = LogPlaces()
        self._taken_over = False
        self._kept: list[LiveLine] = []
        self.ended = False

    def first(self) -> None:
        """Waits at most five seconds for the first line or the end. Raises NotFound or Unavailable if the job could not
        read the lines, and DatabaseDown.
        """
        end = time.monotonic() + FIRST_SECONDS
        while not self._kept and not self.ended and time.monotonic() < end:
            self._kept = self.more(0.5)
            if self._kept or self.ended:
                return
            trouble = self.look()
            if trouble is not None:
                raise trouble

    def taken(self) -> list[LiveLine]:
        """Returns the lines that `first` found, once; after that, an empty list."""
        kept, self._kept = self._kept, []
        return kept

    def more(self, seconds: float) -> list[LiveLine]:
        """Returns new lines; waits at most `seconds`. If the reader missed some lines, one line says how many."""
        found = self._live.read(self.job, self._place, seconds)
        if not found:
            return []
        self._place = found[-1].id
        self.ended = self.ended or any(line.last for line in found)
        return [each for line in found if not line.last for each in self._with_gap(line)]

    def _with_gap(self, line: LiveLine) -> Iterator[LiveLine]:
        if line.number <= self._read:
            self._taken_over = True
            self._positions.begin_again()
        missed, self._read = line.number - self._read - 1, line.number
        if missed > 0:
            yield LiveLine("", "norn", f"… {missed} lines dropped: they came faster than they were read …")
        if self._positions.is_new(line) or not self._taken_over:
            yield line

    def look(self) -> NornError | None:
        """Checks whether the job that reads has ended; returns its error, if any. Raises DatabaseDown."""
        with self._database.transaction() as tx:
            found = jobs_read.get(tx, self.job)
        self.ended = self.ended or found.ended
        if not found.ended or found.error is None:
            return None
        if found.error["code"] == NotFound.code:
            return NotFound(found.error["sentence"], hint=found.error["hint"])
        kind = EngineDown if found.error["code"] == EngineDown.code else Unavailable
        return kind(f"the logs could not be read: {found.error['sentence']}", hint=found.error["hint"])

    def leave(self) -> None:
        """Records that nobody reads the stream any longer, so that its job ends soon."""
        self._live.unwatch(self.job)
