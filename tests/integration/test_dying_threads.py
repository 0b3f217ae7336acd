"""Threads that die are replaced, and an error in a thread does not end its other work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from norn_api.streaming.hub import EventHub
from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.domain.jobs.step import StepPosition
from norn_tasks.store.database.session import Database
from norn_tasks.store.events.publishing import publish
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.queue import step_logs
from norn_tasks.worker.output import StepOutput
from tests import factories
from tests.integration.dying import kill, named
from tests.servers import wait_until


@pytest.fixture
def hub(database: Database) -> Iterator[EventHub]:
    """An event hub for one test."""
    closing = threading.Event()
    yield EventHub(database, "", closing)
    closing.set()
    wait_until(lambda: "norn-events" not in [each.name for each in threading.enumerate()], 10, "the reader has ended")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_reader_of_events_that_dies_is_replaced_and_loses_no_event(database: Database, hub: EventHub) -> None:
    seen: list[str | None] = []
    with hub.follow(lambda event: True, drop=lambda: None) as follower:
        for app in ("first", "second"):
            with database.transaction() as tx:
                publish(tx, EventKind.APP_APPLIED, app=app)
            began = time.monotonic()
            while app not in seen and time.monotonic() - began < 10:
                seen += [event.app for event in follower.wait(1.0)]
            if app == "first":
                kill(named("norn-events"))
    assert seen == ["first", "second"]


def test_reader_of_events_outlives_what_it_cannot_read(database: Database, hub: EventHub) -> None:
    """A column is missing for a moment: the reader gets an error other than DatabaseDown, and must continue
    afterwards.
    """
    with hub.follow(lambda event: True, drop=lambda: None) as follower:
        with database.transaction() as tx:
            tx.execute(text("ALTER TABLE events RENAME COLUMN data TO gone"))
        time.sleep(1.5)
        with database.transaction() as tx:
            tx.execute(text("ALTER TABLE events RENAME COLUMN gone TO data"))
            publish(tx, EventKind.APP_APPLIED, app="later")
        seen: list[str | None] = []
        wait_until(lambda: seen.extend(event.app for event in follower.wait(1.0)) or seen, 10, "it reads on")
    assert seen == ["later"]


def test_output_that_cannot_be_kept_takes_nothing_else_with_it(database: Database) -> None:
    with database.transaction() as tx:
        factories.add_job(tx)
    job = factories.claim(database)
    Ledger(database, patience=5).begin_step(job.fence, StepPosition(0, "build-image"), None)
    with StepOutput(database)(job.fence, "build-image") as sink:
        sink("a nul \0 in it\n")
        sink("half a character \ud800\n")
        time.sleep(1.2)
        sink("and the rest\n")
    with database.transaction() as tx:
        kept = "".join(piece["chunk"] for piece in step_logs.read(tx, job.id, "build-image", (0, -1)))
    assert kept.endswith("and the rest\n") and "dropped" in kept
