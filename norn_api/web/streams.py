"""Server-sent events and growing logs. Each occupies a thread, but no database connection while it waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from flask import Response, request

from norn_api.access.auth import Admission
from norn_api.schemas.server import EventResponse
from norn_api.services import actor, norn, shares
from norn_api.streaming.connections import Connection
from norn_api.streaming.hub import Dropped, EventHub, Subscriber
from norn_api.web.senders import credentials
from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.store.database.pages import Reach
from norn_tasks.store.database.session import Database
from norn_tasks.store.events import stream
from norn_tasks.store.events.stream import Cursor, StoredEvent

HEARTBEAT_SECONDS = 10.0
NDJSON = "application/x-ndjson"
_BATCH = 500


def streamed(chunks: Iterator[str], content_type: str, connection: Connection) -> Response:
    """Returns a streaming response, which counts against the limit of streams until it ends; raises TooManyRequests."""
    give_back = norn().streams.take(shares=shares())
    connection.guard()
    response = Response(chunks, content_type=content_type)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(give_back)
    return response


def connection() -> Connection:
    """Returns the connection of this request."""
    return Connection(request.environ)


# Server-sent events


@dataclass(frozen=True)
class EventFilter:
    """The events that a client wants. `last`: the kind of event that ends the stream."""

    app: str | None = None
    job: int | None = None
    reach: Reach = None
    last: EventKind | None = None

    def __call__(self, event: StoredEvent) -> bool:
        """Returns True if this event is wanted."""
        if self.app is not None and event.app != self.app:
            return False
        if self.job is not None and event.job != self.job:
            return False
        return self.reach is None or event.app in self.reach


@dataclass(frozen=True)
class Source:
    """The place from which a stream gets its events, and the signals that make it end early."""

    hub: EventHub
    database: Database
    closing: threading.Event
    connection: Connection
    admission: Admission

    @property
    def open(self) -> bool:
        """False if the process ends, the client has disconnected, or its credentials are no longer valid."""
        return not (self.closing.is_set() or self.connection.gone()) and self.admission.holds()


def source() -> Source:
    """Returns the source of the events for a stream that answers this request."""
    services, sent, sender = norn(), replace(credentials(), body=bytes), actor()

    def known() -> bool:
        found = services.authenticators.recognised(sent)
        return found is not None and found.actor == sender

    return Source(services.hub, services.database, services.closing, connection(), Admission(known))


def follow_events(source: Source, wanted: EventFilter, place: Cursor | None) -> Iterator[str]:
    """Returns a stream of the wanted events after `place`, each once and in order, and then of new ones.

    Without `place` it begins now: it contains every event that is published after this function returns.
    """
    if place is None:
        with source.database.transaction() as tx:
            place = stream.end(tx)
    return _followed(source, wanted, place)


def _followed(source: Source, wanted: EventFilter, place: Cursor) -> Iterator[str]:
    yield "retry: 2000\n\n"
    try:
        with source.hub.follow(wanted, drop=source.connection.cut) as follower:
            for event in _all_events(source, wanted, place, follower):
                yield ": heartbeat\n\n" if event is None else sse(event, str(event.place))
                if event is not None and event.kind == wanted.last:
                    return
    except DatabaseDown:
        return  # the client connects again with the id of its last event


def _all_events(
    source: Source, wanted: EventFilter, place: Cursor, follower: Subscriber
) -> Iterator[StoredEvent | None]:
    """Yields past events, then new ones, and None after each ten seconds without an event."""
    for event in past_events(source.database, wanted, place):
        yield event
        place = event.place
    for found in _new(source, follower):
        if found is None or found.place > place:
            yield found


def past_events(database: Database, wanted: EventFilter, place: Cursor) -> Iterator[StoredEvent]:
    """Yields the wanted events after `place` that can be read now."""
    while True:
        with database.transaction() as tx:
            found = stream.after(tx, place, app=wanted.app, job=wanted.job, reach=wanted.reach, limit=_BATCH)
        yield from found
        if len(found) < _BATCH:
            return
        place = found[-1].place


def _new(source: Source, follower: Subscriber) -> Iterator[StoredEvent | None]:
    heard = time.monotonic()
    while source.open:
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


def sse(event: StoredEvent, id: str) -> str:
    """Returns an event as a message of a stream; with the id, a client can resume the stream later."""
    summary = event_response(event).model_dump_json()
    return f"id: {id}\nevent: {event.kind}\ndata: {summary}\n\n"


def event_response(event: StoredEvent) -> EventResponse:
    """Returns an event in the API's shape."""
    return EventResponse(
        id=str(event.place), at=event.at, kind=event.kind, app=event.app, job=event.job, seq=event.seq, data=event.data
    )


# Growing logs


class SignOfLife:
    """A sign of life in a silent stream of JSON lines: an empty line every ten seconds.

    A stream of plain text gets no such lines, because a reader would show them. There, TCP itself notices a client that
    has disappeared.
    """

    def __init__(self, content_type: str) -> None:
        self._beat = "\n" if content_type == NDJSON else ""
        self._last = time.monotonic()

    def over(self, text: str) -> str:
        """Returns the text to send: `text`, or if that is empty and nothing was sent for ten seconds, a sign of
        life.
        """
        now = time.monotonic()
        if not text and now - self._last < HEARTBEAT_SECONDS:
            return ""
        self._last = now
        return text or self._beat


def grow(source: Source, job: int, read: Callable[[], tuple[list[str], bool]], content_type: str) -> Iterator[str]:
    """Yields new text from `read` whenever the job's output grows, until `read` returns True for the end."""
    life = SignOfLife(content_type)
    yield ""  # sends the headers, because the first line may take long
    with source.hub.follow(_of_job(job), job=job, drop=source.connection.cut) as follower:
        while source.open:
            try:
                texts, ended = read()
            except DatabaseDown:
                source.closing.wait(1.0)
                continue
            yield life.over("".join(texts))
            if ended:
                return
            if not texts:
                follower.wait(1.0)


def _of_job(job: int) -> Callable[[StoredEvent], bool]:
    return lambda event: event.job == job
