"""Log lines for web pages: one reader per app, no matter how many pages of this process follow the app.

As long as at least one page follows an app, one worker reads its lines, and all pages get them from here. If that
worker ends, another worker continues at the same line.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from norn_api.streaming.live_reading import LiveReading
from norn_api.streaming.log_places import LogPlaces
from norn_tasks.dispatch import Intake, request_logs
from norn_tasks.domain.app_logs.times import parse_time
from norn_tasks.domain.errors import DatabaseDown, NornError, NotFound
from norn_tasks.domain.jobs.requests import ReadLogsJobRequest
from norn_tasks.store.broker.live import LiveLine

READER = "norn's page"
"""The actor of the jobs that read the lines; no token can have this name. All these jobs together may use half of the
log readers that the server allows.
"""
MOST = 100_000
"""The most past lines of an app that a page gets when it reconnects, and the most lines that wait to be sent to it. A
page shows no more.
"""
MOST_CHARACTERS = 16 * 2**20
"""The maximum length of all lines that wait to be sent to a page."""
_OVERLAP_SECONDS = 5
"""A feed starts reading this many seconds early, because a line is stored a little after it was written."""
_AGAIN_SECONDS = 2.0
_PAST_SECONDS = 20.0

AppLine = tuple[str, LiveLine]


class LogInbox:
    """The lines that have not been sent to one page yet.

    If they are more than `MOST`, or longer than `MOST_CHARACTERS` together, the oldest are dropped.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._lines: deque[AppLine] = deque()
        self._characters = 0
        self._dropped = 0

    def put(self, app: str, lines: Sequence[LiveLine]) -> None:
        """Adds lines and wakes the page."""
        with self._lock:
            self._lines.extend((app, line) for line in lines)
            self._characters += sum(len(line.line) for line in lines)
            while len(self._lines) > MOST or self._characters > MOST_CHARACTERS:
                self._characters -= len(self._lines.popleft()[1].line)
                self._dropped += 1
        self._wake()

    def take(self) -> list[AppLine]:
        """Returns the lines that were added since the last call; the first line says how many were dropped, if any."""
        with self._lock:
            found, dropped = list(self._lines), self._dropped
            self._lines.clear()
            self._characters = self._dropped = 0
        if not dropped or not found:
            return found
        return [(found[0][0], note(f"{dropped} lines dropped: they came faster than they were read")), *found]


def note(sentence: str) -> LiveLine:
    """Returns a line that Norn itself adds to the lines of an app."""
    return LiveLine("", "norn", f"… {sentence} …")


class _Feed:
    """Reads the lines of one app from the time at which the feed was made."""

    def __init__(self, intake: Intake, app: str, ending: Callable[[_Feed], bool]) -> None:
        self.app = app
        self.inboxes: set[LogInbox] = set()
        self._intake = intake
        self._ending = ending
        self._places = LogPlaces()
        self._since: int | None = int((time.time() - _OVERLAP_SECONDS) * 10**9)
        self._said = ""

    def run(self) -> None:
        """Reads until no page follows the app."""
        while not self._ending(self):
            try:
                self._read()
            except NotFound as error:
                if self._since is None:
                    self._say(error.sentence)
                self._since = None  # a cluster that keeps the lines itself cannot select them by time
            except NornError as error:
                self._say(error.sentence)
            threading.Event().wait(_AGAIN_SECONDS)

    def _read(self) -> None:
        asked = ReadLogsJobRequest(MOST if self._since is not None else 0, True, self._since)
        job = request_logs(self._intake, self.app, asked, actor=READER, holder=READER).job
        reading = LiveReading(self._intake.live, self._intake.database, job)
        self._places.begin_again()
        try:
            while not reading.ended and not self._ending(self):
                lines = reading.more(2.0)
                if lines:
                    self._said = ""
                    self._hand_out(self._places.new(lines))
                else:
                    self._require_reader(reading)
        finally:
            reading.leave()
            if self._since is not None and self._places.earliest is not None:
                self._since = parse_time(self._places.earliest, 0, "since") - _OVERLAP_SECONDS * 10**9

    def _require_reader(self, reading: LiveReading) -> None:
        with suppress(DatabaseDown):
            trouble = reading.look()
            if trouble is not None:
                raise trouble

    def _say(self, sentence: str) -> None:
        """Sends the pages, once, the reason why there are no lines."""
        if sentence != self._said:
            self._said = sentence
            self._hand_out([note(sentence)])

    def _hand_out(self, lines: Sequence[LiveLine]) -> None:
        for inbox in tuple(self.inboxes):
            inbox.put(self.app, lines)


class LogFeeds:
    """The feeds of this process: one for each app that a page follows."""

    def __init__(self, intake: Intake, closing: threading.Event) -> None:
        self._intake = intake
        self._closing = closing
        self._lock = threading.Lock()
        self._feeds: dict[str, _Feed] = {}

    @contextmanager
    def follow(self, apps: Sequence[str], wake: Callable[[], None]) -> Iterator[LogInbox]:
        """Yields an inbox that receives every line of these apps from now on; `wake` is called when lines arrive."""
        inbox = LogInbox(wake)
        for app in apps:
            self._join(app, inbox)
        try:
            yield inbox
        finally:
            with self._lock:
                for feed in self._feeds.values():
                    feed.inboxes.discard(inbox)

    def past(self, app: str, places: LogPlaces, tail: int) -> Iterator[LiveLine]:
        """Yields the lines from these positions on; for a reader without positions, the last `tail` lines."""
        since = None if places.earliest is None else parse_time(places.earliest, 0, "since")
        if since is None and not tail:
            return
        asked = ReadLogsJobRequest(tail if since is None else MOST, False, since)
        try:
            job = request_logs(self._intake, app, asked, actor=READER, holder=READER).job
            reading, end = LiveReading(self._intake.live, self._intake.database, job), time.monotonic() + _PAST_SECONDS
            count = 0
            while not reading.ended and time.monotonic() < end:
                lines = reading.more(0.5)
                yield from lines
                count += len(lines)
                if not lines and (trouble := reading.look()) is not None:
                    raise trouble
            if since is not None and count >= MOST:
                yield note(f"earlier lines are missing: more than {MOST} were written while the page was away")
            if not reading.ended:
                yield note(f"earlier lines are missing: no worker read them within {_PAST_SECONDS:g} s")
        except NornError as error:
            yield note(f"earlier lines are missing: {error.sentence}")

    def _join(self, app: str, inbox: LogInbox) -> None:
        with self._lock:
            feed = self._feeds.get(app)
            if feed is None:
                feed = self._feeds[app] = _Feed(self._intake, app, self._ending)
                threading.Thread(target=feed.run, name=f"norn-logs-{app}", daemon=True).start()
            feed.inboxes.add(inbox)

    def _ending(self, feed: _Feed) -> bool:
        """Returns True, after deleting the feed, if no page follows it or the process ends."""
        with self._lock:
            if feed.inboxes and not self._closing.is_set():
                return False
            if self._feeds.get(feed.app) is feed:
                del self._feeds[feed.app]
            return True
