"""Events are read in the order of their transactions: ids alone lose rows that commit late."""

from __future__ import annotations

from norn_tasks.domain.event import EventKind
from norn_tasks.store import events
from norn_tasks.store.facts import tell
from norn_tasks.store.session import Database


def test_an_event_that_commits_late_is_not_lost(database: Database) -> None:
    """A reader that goes by ids would have passed the late one when it read the early one."""
    with database.transaction() as late:
        tell(late, EventKind.APP_APPLIED, app="late")
        with database.transaction() as early:
            tell(early, EventKind.APP_APPLIED, app="early")
        with database.transaction() as reader:
            first = events.after(reader, events.Place())
    with database.transaction() as reader:
        place = first[-1].place if first else events.Place()
        second = events.after(reader, place)
    assert [told.app for told in (*first, *second)] == ["late", "early"]
