"""Events are read in one order and completely, even if their transactions commit in another order."""

from __future__ import annotations

import threading

import pytest

from norn_api.access.auth import Admission
from norn_api.streaming.connections import Connection
from norn_api.streaming.hub import Dropped, EventHub
from norn_api.web.streams import EventFilter, Source, follow_events
from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.store.database.session import Database
from norn_tasks.store.events import stream
from norn_tasks.store.events.publishing import publish
from norn_tasks.store.events.stream import Cursor
from tests.integration.api.factories import HELLO, Api
from tests.servers import wait_until

KIND = EventKind.APP_APPLIED


def tell_one(database: Database, app: str = "hello") -> None:
    """Writes an event."""
    with database.transaction() as tx:
        publish(tx, KIND, app=app)


def apps(database: Database, place: Cursor = Cursor()) -> list[str | None]:  # noqa: B008 - frozen
    """Returns the apps of the events after a position."""
    with database.transaction() as tx:
        return [event.app for event in stream.after(tx, place)]


def test_event_of_an_open_transaction_holds_back_later_ones(database: Database) -> None:
    with database.transaction() as slow:
        publish(slow, KIND, app="first")
        tell_one(database, "second")
        assert apps(database) == []
    assert apps(database) == ["first", "second"]


def test_reader_misses_nothing_that_commits_out_of_order(database: Database) -> None:
    tell_one(database, "zero")
    with database.transaction() as tx:
        place = stream.end(tx)
    with database.transaction() as slow:
        publish(slow, KIND, app="first")
        tell_one(database, "second")
        with database.transaction() as tx:
            assert stream.behind(tx) is True
    assert apps(database, place) == ["first", "second"]


def test_list_answers_the_newest_in_order(api: Api) -> None:
    for name in ("a", "b", "c"):
        tell_one(api.database, name)
    assert [event["app"] for event in api.get("/api/events?limit=2").json["items"]] == ["b", "c"]


def test_list_goes_on_behind_an_id(api: Api) -> None:
    for name in ("a", "b", "c"):
        tell_one(api.database, name)
    begin = api.get("/api/events?limit=3").json["items"][0]["id"]
    first = api.get(f"/api/events?after={begin}&limit=1").json
    rest = api.get(f"/api/events?after={first['next']}").json["items"]
    assert [event["app"] for event in first["items"] + rest] == ["b", "c"]


def test_list_can_be_kept_to_an_app(api: Api) -> None:
    for name in ("a", "b"):
        tell_one(api.database, name)
    assert [event["app"] for event in api.get("/api/events?app=b").json["items"]] == ["b"]


@pytest.mark.parametrize("place", ["x", "1", "1-", "-1", "1-2-3", "99999999999999999999-1", "1-١"])
def test_strange_place_is_refused(api: Api, place: str) -> None:
    assert api.get("/api/events", query_string={"after": place}).status_code == 422


@pytest.mark.parametrize("place", ["x", "99999999999999999999-1"])
def test_strange_last_event_id_is_refused(api: Api, place: str) -> None:
    assert api.get("/api/events/stream", headers={"Last-Event-ID": place}).status_code == 422


def test_event_has_its_id_time_and_data(api: Api) -> None:
    api.put_spec("hello", HELLO)
    event = api.get("/api/events?app=hello").json["items"][0]
    assert (event["kind"], event["data"]["version"], event["at"][-1]) == ("app.applied", 1, "Z")
    assert str(Cursor.parse(event["id"])) == event["id"]


# One reader for many followers


@pytest.fixture
def source(database: Database) -> Source:
    """The source from which streams read their events."""
    closing = threading.Event()
    return Source(EventHub(database, "", closing), database, closing, Connection({}), Admission(lambda: True))


def collect(source: Source, wanted: EventFilter, place: Cursor | None, into: list[str]) -> threading.Thread:
    """Follows the events in a thread, until the source is closed."""

    def follow() -> None:
        into.extend(follow_events(source, wanted, place))

    thread = threading.Thread(target=follow)
    thread.start()
    return thread


def told(chunks: list[str]) -> list[str]:
    """Returns the apps of streamed events."""
    return [chunk.split('"app":"')[1].split('"')[0] for chunk in chunks if chunk.startswith("id: ")]


def test_past_and_coming_events_come_once_each_and_in_order(database: Database, source: Source) -> None:
    chunks: list[str] = []
    for number in range(700):
        tell_one(database, f"app-{number}")
    thread = collect(source, EventFilter(), Cursor(), chunks)
    for number in range(700, 900):
        tell_one(database, f"app-{number}")
    wait_until(lambda: len(told(chunks)) >= 900, 15, "all events came")
    source.closing.set()
    thread.join()
    assert told(chunks) == [f"app-{number}" for number in range(900)]


def test_stream_without_a_place_begins_now(database: Database, source: Source) -> None:
    tell_one(database, "past")
    chunks: list[str] = []
    thread = collect(source, EventFilter(), None, chunks)
    wait_until(lambda: len(source.hub._all()) == 1, 5, "the follower is there")
    wait_until(lambda: tell_one(database, "coming") or told(chunks), 5, "an event came")
    source.closing.set()
    thread.join()
    assert set(told(chunks)) == {"coming"}


def test_stream_keeps_to_its_app(database: Database, source: Source) -> None:
    chunks: list[str] = []
    thread = collect(source, EventFilter(app="b"), Cursor(), chunks)
    for name in ("a", "b", "c", "b"):
        tell_one(database, name)
    wait_until(lambda: len(told(chunks)) == 2, 5, "both events came")
    source.closing.set()
    thread.join()
    assert told(chunks) == ["b", "b"]


def test_stream_keeps_to_what_its_token_reaches(database: Database, source: Source) -> None:
    chunks: list[str] = []
    thread = collect(source, EventFilter(reach=frozenset({"b"})), Cursor(), chunks)
    for name in ("a", "b"):
        tell_one(database, name)
    wait_until(lambda: told(chunks), 5, "the event came")
    source.closing.set()
    thread.join()
    assert told(chunks) == ["b"]


def test_event_reaches_a_follower_within_a_second(database: Database, source: Source) -> None:
    with source.hub.follow(EventFilter(), drop=lambda: None) as follower:
        tell_one(database)
        assert len(follower.wait(1.0)) == 1


def test_slow_follower_is_dropped_and_its_connection_cut(database: Database, source: Source) -> None:
    cut: list[bool] = []
    with source.hub.follow(EventFilter(), drop=lambda: cut.append(True)) as follower:
        for _ in range(21):
            with database.transaction() as tx:
                for _ in range(50):
                    publish(tx, KIND, app="hello")
        wait_until(lambda: cut, 10, "the follower is dropped")
        with pytest.raises(Dropped):
            follower.wait(0.1)


def test_reader_ends_with_its_last_follower(database: Database, source: Source) -> None:
    with source.hub.follow(EventFilter(), drop=lambda: None):
        pass
    wait_until(lambda: not any(t.name == "norn-events" for t in threading.enumerate()), 5, "the reader has ended")
