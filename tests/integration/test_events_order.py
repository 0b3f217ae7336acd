"""Events are read in the order of their transactions: ids alone lose rows that commit late."""

from __future__ import annotations

from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.store.database.session import Database
from norn_tasks.store.events import stream
from norn_tasks.store.events.publishing import publish


def test_an_event_that_commits_late_is_not_lost(database: Database) -> None:
    """A reader that goes by ids would have skipped the late event when it read the early one."""
    with database.transaction() as late:
        publish(late, EventKind.APP_APPLIED, app="late")
        with database.transaction() as early:
            publish(early, EventKind.APP_APPLIED, app="early")
        with database.transaction() as reader:
            first = stream.after(reader, stream.Cursor())
    with database.transaction() as reader:
        place = first[-1].place if first else stream.Cursor()
        second = stream.after(reader, place)
    assert [told.app for told in (*first, *second)] == ["late", "early"]
