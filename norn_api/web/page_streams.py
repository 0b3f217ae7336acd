"""The one stream of a web page: events, and log lines of the apps that the page shows. Both are resumed together by one
id.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

from norn_api.streaming.hub import Dropped, Subscriber
from norn_api.streaming.log_feeds import AppLine, LogFeeds, LogInbox
from norn_api.streaming.log_places import LogPlaces, parse_places
from norn_api.web.streams import HEARTBEAT_SECONDS, EventFilter, Source, past_events, sse
from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.store.events import stream
from norn_tasks.store.events.stream import Cursor


@dataclass
class PagePosition:
    """How far a page has read the events and the lines of each app. Its text form is the id of a message."""

    events: Cursor
    logs: dict[str, LogPlaces]

    @staticmethod
    def parse(written: str | None, apps: tuple[str, ...], source: Source) -> PagePosition:
        """Reads the id of a message, whose part about log lines may be missing; without an id the position is now.

        Raises InvalidRequest.
        """
        cursor, _, places = (written or "").partition(";")
        known = parse_places(places)
        if cursor:
            events = Cursor.parse(cursor)
        else:
            with source.database.transaction() as tx:
                events = stream.end(tx)
        return PagePosition(events, {app: known.get(app) or LogPlaces() for app in apps})

    def __str__(self) -> str:
        return f"{self.events}{''.join(places.written(app) for app, places in self.logs.items())}"


def follow_page(source: Source, feeds: LogFeeds, wanted: EventFilter, at: PagePosition, tail: int) -> Iterator[str]:
    """Yields the position, the events and lines after it, and then new ones, each of them once.

    `tail`: for an app without a position, how many of its past lines are sent first.
    """
    yield f"id: {at}\nretry: 2000\n\n"
    try:
        with (
            source.hub.follow(wanted, drop=source.connection.cut) as follower,
            feeds.follow(tuple(at.logs), follower.poke) as inbox,
        ):
            for event in past_events(source.database, wanted, at.events):
                at.events = event.place
                yield sse(event, str(at))
            for app, places in at.logs.items():
                yield from (_log((app, line), at) for line in feeds.past(app, places, tail) if places.new([line]))
                places.begin_again()
            yield from _new(source, follower, inbox, at)
    except DatabaseDown:
        return  # the page connects again with the id of its last message


def _new(source: Source, follower: Subscriber, inbox: LogInbox, at: PagePosition) -> Iterator[str]:
    sent = time.monotonic()
    while source.open:
        try:
            found = follower.wait(1.0)
        except Dropped:
            return
        texts = [*_events(found, at), *(_log(line, at) for line in inbox.take() if at.logs[line[0]].new([line[1]]))]
        if not texts and time.monotonic() - sent >= HEARTBEAT_SECONDS:
            texts = [": heartbeat\n\n"]
        if texts:
            sent = time.monotonic()
            yield "".join(texts)


def _events(found: list[stream.StoredEvent], at: PagePosition) -> Iterator[str]:
    for event in found:
        if event.place > at.events:
            at.events = event.place
            yield sse(event, str(at))


def _log(found: AppLine, at: PagePosition) -> str:
    app, line = found
    shown = json.dumps({"app": app, "source": line.source, "line": line.line, **line.about}, ensure_ascii=False)
    return f"id: {at}\nevent: log\ndata: {shown}\n\n"
