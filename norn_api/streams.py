"""Server-sent events and growing logs: each holds a thread, and no database connection while it waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flask import Response, request

from norn_api.connections import Connection
from norn_api.hub import Dropped, Follower, Hub
from norn_api.schemas.server import EventAnswer
from norn_api.services import norn
from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.domain.event import EventKind
from norn_tasks.store import events
from norn_tasks.store.events import Place, Told
from norn_tasks.store.reading import Reach
from norn_tasks.store.session import Database

HEARTBEAT_SECONDS = 10.0
_BATCH = 500


def streamed(chunks: Iterator[str], content_type: str, connection: Connection) -> Response:
    """Answers with a stream; takes one of the places for streams until it ends. Raises TooManyRequests."""
    give_back = norn().streams.take()
    connection.guard()
    response = Response(chunks, content_type=content_type)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(give_back)
    return response


def connection() -> Connection:
    """Answers the connection of this request."""
    return Connection(request.environ)


# Server-sent events


@dataclass(frozen=True)
class Wanted:
    """Which events a follower wants. `last`: the kind of event after which there is nothing more to come."""

    app: str | None = None
    job: int | None = None
    reach: Reach = None
    last: EventKind | None = None

    def __call__(self, event: Told) -> bool:
        """True when this event is wanted."""
        if self.app is not None and event.app != self.app:
            return False
        if self.job is not None and event.job != self.job:
            return False
        return self.reach is None or event.app in self.reach


@dataclass(frozen=True)
class Source:
    """Where events come from, and what ends a stream from outside."""

    hub: Hub
    database: Database
    closing: threading.Event
    connection: Connection


def source() -> Source:
    """Answers the source for this request."""
    services = norn()
    return Source(services.hub, services.database, services.closing, connection())


def follow_events(source: Source, wanted: Wanted, place: Place | None) -> Iterator[str]:
    """Answers a stream of the wanted events behind a place, each once and in order, then of what comes.

    Without a place it begins now: whatever is told after this returns is in it.
    """
    if place is None:
        with source.database.transaction() as tx:
            place = events.end(tx)
    return _followed(source, wanted, place)


def _followed(source: Source, wanted: Wanted, place: Place) -> Iterator[str]:
    yield "retry: 2000\n\n"
    try:
        with source.hub.follow(wanted, drop=source.connection.cut) as follower:
            for event in _all_events(source, wanted, place, follower):
                yield ": heartbeat\n\n" if event is None else _sse(event)
                if event is not None and event.kind == wanted.last:
                    return
    except DatabaseDown:
        return  # the client comes again with the id of its last event


def _all_events(source: Source, wanted: Wanted, place: Place, follower: Follower) -> Iterator[Told | None]:
    """Yields past events, then new ones; None when there was nothing for a while."""
    for event in _past(source.database, wanted, place):
        yield event
        place = event.place
    for found in _new(source, follower):
        if found is None or found.place > place:
            yield found


def _past(database: Database, wanted: Wanted, place: Place) -> Iterator[Told]:
    while True:
        with database.transaction() as tx:
            found = events.after(tx, place, app=wanted.app, job=wanted.job, reach=wanted.reach, limit=_BATCH)
        yield from found
        if len(found) < _BATCH:
            return
        place = found[-1].place


def _new(source: Source, follower: Follower) -> Iterator[Told | None]:
    heard = time.monotonic()
    while not (source.closing.is_set() or source.connection.gone()):
        try:
            found = follower.wait(1.0)
        except Dropped:
            return
        yield from found
        if found:
            heard = time.monotonic()
        elif time.monotonic() - heard >= HEARTBEAT_SECONDS:
            heard = time.monotonic()
            yield None


def _sse(event: Told) -> str:
    told = answer(event).model_dump_json()
    return f"id: {event.place}\nevent: {event.kind}\ndata: {told}\n\n"


def answer(event: Told) -> EventAnswer:
    """Answers an event in the API's shape."""
    return EventAnswer(
        id=str(event.place), at=event.at, kind=event.kind, app=event.app, job=event.job, seq=event.seq, data=event.data
    )


# Growing logs


def grow(source: Source, job: int, read: Callable[[], tuple[list[str], bool]]) -> Iterator[str]:
    """Yields what `read` answers (new text, and whether that was the end) whenever the job's output grows."""
    yield ""  # sends the headers: the first line may be long in coming
    with source.hub.follow(_of_job(job), nudge=job, drop=source.connection.cut) as follower:
        while not (source.closing.is_set() or source.connection.gone()):
            try:
                texts, ended = read()
            except DatabaseDown:
                source.closing.wait(1.0)
                continue
            yield from texts
            if ended:
                return
            if not texts:
                follower.wait(1.0)


def _of_job(job: int) -> Callable[[Told], bool]:
    return lambda event: event.job == job
