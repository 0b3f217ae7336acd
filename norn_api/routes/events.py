"""Events: a list of them, and a stream that goes on."""

from __future__ import annotations

from flask import Response, request

from norn_api.openapi import answers, noun, text_answer
from norn_api.replies import items
from norn_api.schemas.common import ListOf
from norn_api.schemas.server import EventAnswer, EventsQuery, EventStreamQuery
from norn_api.services import actor, norn, reach
from norn_api.streams import Wanted, answer, follow_events, source, streamed
from norn_tasks.store import events
from norn_tasks.store.events import Place

api = noun("events", "Events: facts in their order")


@api.get("/api/events", responses=answers(ListOf[EventAnswer]))
def list_events(query: EventsQuery) -> Response:
    """Lists events, oldest first: those behind `after`, else the newest."""
    wanted = Wanted(app=None if query.app is None else reach(query.app), job=query.job, reach=actor().apps)
    with norn().database.transaction() as tx:
        if query.after is None:
            found = events.newest(tx, app=wanted.app, job=wanted.job, reach=wanted.reach, limit=query.limit)
        else:
            place = Place.parse(query.after)
            found = events.after(tx, place, app=wanted.app, job=wanted.job, reach=wanted.reach, limit=query.limit)
    return items(EventAnswer, map(answer, found), str(found[-1].place) if found else query.after)


@api.get("/api/events/stream", responses=text_answer("Server-sent events", "text/event-stream"))
def stream_events(query: EventStreamQuery) -> Response:
    """Streams events as they happen, behind Last-Event-ID or `after` where one is given."""
    wanted = Wanted(app=None if query.app is None else reach(query.app), reach=actor().apps)
    last = request.headers.get("Last-Event-ID") or query.after
    here = source()
    told = follow_events(here, wanted, Place.parse(last) if last else None)
    return streamed(told, "text/event-stream; charset=utf-8", here.connection)
