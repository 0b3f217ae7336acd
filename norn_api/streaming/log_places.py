"""Positions in the lines of an app: how far a reader got, so that it continues there and gets each line once.

The lines of one stream of a container (stdout or stderr) are in the order of their times. Several lines may have the
same time, so a position is a time and the number of lines with that time that were read. Lines without a time have no
position.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from norn_tasks.domain.app_logs.times import parse_time, time_text
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.store.broker.live import LiveLine

_PLACE = re.compile(r"([a-z0-9-]{1,40})/([\w.-]{1,40})/(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)/(\d{1,9})", re.ASCII)
_LATE_SECONDS = 600
"""A line may be stored up to this many seconds later than lines that were written after it."""
_STREAMS = 40
"""The number of container streams of an app that are remembered; the one that was silent longest is forgotten first."""


class LogPlaces:
    """The positions of one reader in the lines of one app."""

    def __init__(self, places: Mapping[str, tuple[str, int]] | None = None) -> None:
        self._places = dict(places or {})
        self._again: Counter[str] = Counter()

    @property
    def earliest(self) -> str | None:
        """The earliest time from which lines may be missing; None for a reader that has read nothing.

        A stream whose last line is over ten minutes older than the newest line is ignored, because lines are stored
        soon after they were written.
        """
        times = [at for at, _ in self._places.values()]
        if not times:
            return None
        oldest = time_text(parse_time(max(times), 0, "at") - _LATE_SECONDS * 10**9)
        return min(at for at in times if at >= oldest)

    def begin_again(self) -> None:
        """Prepares for reading again from an earlier time, where some lines have already been read."""
        self._again.clear()

    def new(self, lines: Iterable[LiveLine]) -> list[LiveLine]:
        """Returns the lines that were not read before, and records them as read."""
        return [line for line in lines if self.is_new(line)]

    def is_new(self, line: LiveLine) -> bool:
        """Returns True if the line was not read before, and records it as read."""
        at = line.about.get("at")
        if at is None:
            return True
        stream = f"{line.about.get('container', 'norn')}.{line.about.get('stream', 'note')}"
        last, count = self._places.get(stream, ("", 0))
        if at < last:
            return False
        if at > last:
            self._places[stream], self._again[stream] = (at, 1), 1
            return True
        self._again[stream] += 1
        if self._again[stream] <= count:
            return False
        self._places[stream] = (at, count + 1)
        return True

    def written(self, app: str) -> str:
        """Returns the positions as text: each one is a semicolon and `app/container.stream/time/lines`."""
        newest = sorted(self._places.items(), key=lambda place: place[1], reverse=True)[:_STREAMS]
        return "".join(f";{app}/{stream}/{at}/{count}" for stream, (at, count) in newest)


def parse_places(written: str) -> dict[str, LogPlaces]:
    """Reads the positions of several apps; raises InvalidRequest."""
    found: dict[str, dict[str, tuple[str, int]]] = {}
    for part in filter(None, written.split(";")):
        match = _PLACE.fullmatch(part)
        if match is None:
            raise InvalidRequest(
                "after: its part about log lines cannot be read", hint="take an id as the stream gave it"
            )
        app, stream, at, count = match.groups()
        found.setdefault(app, {})[stream] = (at, int(count))
    return {app: LogPlaces(places) for app, places in found.items()}
