"""Events: a list of past events, and a stream of new ones."""

from __future__ import annotations

from flask import Response, request

from norn_api.schemas.common import ListOf
from norn_api.schemas.server import EventResponse, EventsQuery, EventStreamQuery, PageStreamQuery
from norn_api.services import actor, norn, require_visible
from norn_api.web.openapi import noun, responses_of, text_response
from norn_api.web.page_streams import PagePosition, follow_page
from norn_api.web.replies import items
from norn_api.web.streams import EventFilter, event_response, follow_events, source, streamed
from norn_tasks.domain.errors import NotFound
from norn_tasks.store.apps import registry
from norn_tasks.store.events import stream
from norn_tasks.store.events.stream import Cursor

api = noun("events", "Events in their order")


@api.get("/api/events", responses=responses_of(ListOf[EventResponse]))
def list_events(query: EventsQuery) -> Response:
    """Lists events, oldest first: the events after `after`, or without it the newest events."""
    wanted = EventFilter(
        app=None if query.app is None else require_visible(query.app), job=query.job, reach=actor().apps
    )
    with norn().database.transaction() as tx:
        if query.after is None:
            found = stream.newest(tx, app=wanted.app, job=wanted.job, reach=wanted.reach, limit=query.limit)
        else:
            place = Cursor.parse(query.after)
            found = stream.after(tx, place, app=wanted.app, job=wanted.job, reach=wanted.reach, limit=query.limit)
    return items(EventResponse, map(event_response, found), str(found[-1].place) if found else query.after)


@api.get("/api/events/stream", responses=text_response("Server-sent events", "text/event-stream"))
def stream_events(query: EventStreamQuery) -> Response:
    """Streams events as they happen, after Last-Event-ID or `after` if one is given."""
    wanted = EventFilter(app=None if query.app is None else require_visible(query.app), reach=actor().apps)
    last = request.headers.get("Last-Event-ID") or query.after
    here = source()
    stream = follow_events(here, wanted, Cursor.parse(last) if last else None)
    return streamed(stream, "text/event-stream; charset=utf-8", here.connection)


@api.get("/api/stream", responses=text_response("Server-sent events", "text/event-stream"))
def stream_page(query: PageStreamQuery) -> Response:
    """Streams all events, and the log lines of the apps in `logs` as messages of the type `log`.

    With the id of its last message, a client can resume events and lines together. All such streams of a process share
    one reader for each app.
    """
    apps = tuple(dict.fromkeys(map(require_visible, query.logs)))
    with norn().database.transaction() as tx:
        for app in apps:
            if not registry.role_of(tx, app).long_running:
                raise NotFound(f"logs: {app} has no running containers to read from", hint=f"norn status {app}")
    here = source()
    at = PagePosition.parse(request.headers.get("Last-Event-ID") or query.after, apps, here)
    chunks = follow_page(here, norn().feeds, EventFilter(reach=actor().apps), at, query.tail)
    return streamed(chunks, "text/event-stream; charset=utf-8", here.connection)
