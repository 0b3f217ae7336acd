"""Notifications: which receiver gets which, that each is signed and sent once, and how long failed ones are
sent again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import select, text, update

from norn_tasks.adapters.notifications.sender import Sender
from norn_tasks.adapters.outgoing import Outgoing
from norn_tasks.dispatch import Intake, request_deadman, request_deliveries, request_test
from norn_tasks.domain.alerting.alert import AlertKind, AlertRule, NewAlert, Severity
from norn_tasks.domain.alerting.destination import NotificationFormat
from norn_tasks.domain.errors import NotFound
from norn_tasks.domain.jobs.job import JobClass, JobState
from norn_tasks.domain.jobs.writes import DeliveryTried
from norn_tasks.pipelines.runner import Runner
from norn_tasks.ports import Limits, Tools
from norn_tasks.store.alerts import alerts, dead_man, deliveries, destinations
from norn_tasks.store.alerts.destinations import NewDestination
from norn_tasks.store.database.pages import Cut
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.ledger.taking import take
from norn_tasks.store.tables import CronStateRow, DeliveryRow, DestinationRow, EventRow, JobRow
from norn_tasks.store_adapters.outbox import DeliveryOutbox
from norn_tasks.worker.leases import JobStop
from norn_tasks.worker.output import StepOutput
from tests import factories
from tests.fakes.vault import FakeVault, sealed
from tests.receiver import Receiver

SECRET = "whsec_of_the_test"
FAILING = NewAlert(AlertKind.RUNS_FAILING, "report", "run 7 of report failed: it exited 3", "norn cron logs report 7")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that receives webhooks."""
    receiver = Receiver()
    yield receiver
    receiver.stop()


def add(database: Database, url: str, name: str = "ops", **wanted: Any) -> None:
    with database.transaction() as tx:
        kind = wanted.get("format", NotificationFormat.JSON)
        secret = sealed(name, SECRET).sealed if kind is NotificationFormat.JSON else None
        severity = wanted.get("severity", Severity.WARNING)
        new = NewDestination(name, url, secret, wanted.get("apps"), wanted.get("kinds"), kind, severity)
        destinations.create(tx, new, "ann")


def raise_it(database: Database, new: NewAlert = FAILING) -> None:
    with database.transaction() as tx:
        alerts.raise_alerts(tx, AlertRule.CRON, [new])


def rows(database: Database) -> list[Any]:
    with database.transaction() as tx:
        return list(tx.execute(select(DeliveryRow).order_by(DeliveryRow.id)))


@pytest.fixture
def intake(database: Database, receiver: Receiver) -> Intake:
    return factories.intake(
        database, notify_attempts=3, notify_backoff=30, outgoing_private=True, deadman_url=receiver.url("/alive")
    )


@pytest.fixture
def work(database: Database, tmp_path: Path, receiver: Receiver) -> Any:
    """A function that is a worker of the class observe: it takes the next job, runs it with the real sender and returns
    the job's end; None if no job waits.
    """
    limits = Limits(1, 1, 1, engine_patience=0.0, workspace=tmp_path, instance="t")
    messenger = Sender(
        DeliveryOutbox(database, "abc123"), FakeVault(), Outgoing(private=True), deadman_url=receiver.url("/alive")
    )
    tools = cast(Tools, type("Some", (), {"limits": limits, "messenger": messenger}))
    runner = Runner(Ledger(database, patience=1), tools, StepOutput(database))

    def next_job() -> JobState | None:
        job = take(database, factories.claimer("w1", JobClass.OBSERVE))
        return None if job is None else runner.run(job, JobStop())

    return next_job


def later(database: Database) -> None:
    """Simulates that the pause before the next attempt is over."""
    with database.transaction() as tx:
        tx.execute(update(DeliveryRow).values(next_at=text("clock_timestamp()")))


# Who gets which


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({}, True),
        ({"apps": ("report", "blog")}, True),
        ({"apps": ("blog",)}, False),
        ({"kinds": ("runs-failing",)}, True),
        ({"kinds": ("runs-missed",)}, False),
        ({"apps": ("report",), "kinds": ("runs-missed",)}, False),
        ({"severity": Severity.CRITICAL}, False),
        ({"severity": Severity.WARNING}, True),
    ],
)
def test_a_destination_hears_of_what_it_asked_for(database: Database, wanted: dict[str, Any], told: bool) -> None:
    add(database, "https://hooks.example/", **wanted)
    raise_it(database)
    assert len(rows(database)) == told


def test_one_that_wants_critical_alerts_hears_of_those_and_of_their_end(database: Database) -> None:
    add(database, "https://hooks.example/", severity=Severity.CRITICAL)
    gone = NewAlert(AlertKind.IMAGE_GONE, "report", "the image of report is gone", "norn deploy report")
    raise_it(database, gone)
    with database.transaction() as tx:
        alerts.resolve(tx, AlertRule.CRON, {gone.key: "run 8 succeeded"})
    assert [(row.event, row.body["severity"]) for row in rows(database)] == [
        ("alert.raised", "critical"), ("alert.resolved", "critical"),
    ]  # fmt: skip


def test_each_destination_gets_an_alert_once_and_its_end_once(database: Database) -> None:
    for name in ("ops", "chat"):
        add(database, "https://hooks.example/", name)
    raise_it(database)
    raise_it(database)
    with database.transaction() as tx:
        alerts.resolve(tx, AlertRule.CRON, {FAILING.key: "run 8 succeeded"})
    assert sorted((row.event, row.destination) for row in rows(database)) == [
        ("alert.raised", 1), ("alert.raised", 2), ("alert.resolved", 1), ("alert.resolved", 2),
    ]  # fmt: skip


def test_removing_a_destination_takes_what_waits_along(database: Database, intake: Intake, work: Any) -> None:
    add(database, "https://hooks.example/")
    raise_it(database)
    request_deliveries(intake, actor="beat")
    with database.transaction() as tx:
        destinations.remove(tx, "ops", "ann")
    assert rows(database) == []
    assert work() is JobState.SUCCEEDED


# Sending


def test_an_alert_arrives_signed_with_all_that_is_to_be_known(
    database: Database, intake: Intake, work: Any, receiver: Receiver
) -> None:
    add(database, receiver.url("/hook?team=ops"))
    raise_it(database)
    assert request_deliveries(intake, actor="beat") == 1
    assert work() is JobState.SUCCEEDED
    (came,) = receiver.came
    body = json.loads(came.body)
    assert came.signed_with(SECRET)
    assert not came.signed_with("another")
    assert (came.path, came.headers["x-norn-event"]) == ("/hook?team=ops", "alert.raised")
    assert came.headers["x-norn-delivery"] == f"abc123-{rows(database)[0].id}"
    assert (body["event"], body["app"], body["kind"], body["sentence"]) == (
        "alert.raised", "report", "runs-failing", FAILING.sentence,
    )  # fmt: skip


def test_only_those_who_were_refused_for_the_moment_get_a_mail_again(database: Database) -> None:
    add(database, "mailto:ann@example.org,ops@example.org", format=NotificationFormat.MAIL)
    raise_it(database)
    with database.transaction() as tx:
        [delivery] = tx.scalars(select(DeliveryRow.id))
        deliveries.tried(tx, DeliveryTried(delivery, False, "not for ops", left=("ops@example.org",)))
        parcel = deliveries.parcel(tx, delivery, "n")
    assert parcel is not None and parcel.to == ("ops@example.org",)


def test_what_was_taken_is_not_sent_again(database: Database, intake: Intake, work: Any, receiver: Receiver) -> None:
    add(database, receiver.url())
    raise_it(database)
    request_deliveries(intake, actor="beat")
    work()
    later(database)
    assert (request_deliveries(intake, actor="beat"), len(receiver.came)) == (0, 1)
    assert [(row.state, row.outcome) for row in rows(database)] == [("delivered", "it answered 204")]


def test_a_try_under_way_is_not_made_twice(database: Database, intake: Intake) -> None:
    add(database, "https://hooks.example/")
    raise_it(database)
    request_deliveries(intake, actor="beat-1")
    later(database)
    assert request_deliveries(intake, actor="beat-2") == 0


@pytest.mark.parametrize("status", [500, 404, 302])
def test_what_was_not_taken_comes_again_under_the_same_id(
    database: Database, intake: Intake, work: Any, receiver: Receiver, status: int
) -> None:
    receiver.statuses, receiver.headers = [status, 204], {"Location": receiver.url("/elsewhere")}
    add(database, receiver.url())
    raise_it(database)
    request_deliveries(intake, actor="beat")
    assert work() is JobState.FAILED
    assert request_deliveries(intake, actor="beat") == 0, "it pauses first"
    later(database)
    request_deliveries(intake, actor="beat")
    assert work() is JobState.SUCCEEDED
    assert len({came.headers["x-norn-delivery"] for came in receiver.came}) == 1
    assert [came.path for came in receiver.came] == ["/hook", "/hook"], "no redirect is followed"


def test_pauses_double(database: Database, intake: Intake, work: Any, receiver: Receiver) -> None:
    receiver.statuses = [500]
    add(database, receiver.url())
    raise_it(database)
    pauses = []
    for _ in range(2):
        later(database)
        request_deliveries(intake, actor="beat")
        work()
        with database.transaction() as tx:
            pauses.append(tx.scalar(text("SELECT extract(epoch FROM next_at - clock_timestamp()) FROM deliveries")))
    assert [round(float(pause) / 30) for pause in pauses] == [1, 2]


def test_after_its_tries_a_delivery_is_given_up_with_an_event(
    database: Database, intake: Intake, work: Any, receiver: Receiver
) -> None:
    receiver.statuses = [500]
    add(database, receiver.url())
    raise_it(database)
    for _ in range(4):
        later(database)
        request_deliveries(intake, actor="beat")
        work()
    assert [(row.state, row.attempts, row.outcome) for row in rows(database)] == [("given-up", 3, "it answered 500")]
    with database.transaction() as tx:
        event = tx.execute(select(EventRow).where(EventRow.kind == "notification.given-up")).one()
    assert (event.app, event.data["destination"], event.data["attempts"]) == ("report", "ops", 3)


# Messages for people


def burst(database: Database, *apps: str) -> None:
    with database.transaction() as tx:
        alerts.raise_alerts(tx, AlertRule.CRON, [replace(FAILING, app=app) for app in apps])


def test_a_burst_is_one_message_and_what_comes_soon_after_waits_for_the_next(
    database: Database, intake: Intake, work: Any, receiver: Receiver
) -> None:
    add(database, receiver.url(), format=NotificationFormat.NTFY)
    burst(database, "a", "b", "c")
    assert request_deliveries(intake, actor="beat") == 3
    assert [work(), work()] == [JobState.SUCCEEDED, None]
    burst(database, "d", "e")
    assert request_deliveries(intake, actor="beat") == 0
    with database.transaction() as tx:
        tx.execute(update(DestinationRow).values(sent_at=text("clock_timestamp() - interval '11 s'")))
    request_deliveries(intake, actor="beat")
    work()
    assert [came.headers["title"] for came in receiver.came] == [
        "[norn] 3 alerts: 3 open", "[norn] 2 alerts: 2 open",
    ]  # fmt: skip
    assert {(row.state, row.outcome, row.attempts) for row in rows(database)} == {("delivered", "it answered 204", 1)}


def test_the_parts_of_a_message_are_tried_and_given_up_together(
    database: Database, intake: Intake, work: Any, receiver: Receiver
) -> None:
    receiver.statuses = [500]
    add(database, receiver.url(), format=NotificationFormat.SLACK)
    burst(database, "a", "b")
    for _ in range(4):
        request_deliveries(intake, actor="beat")
        work()
        later(database)
    assert (len(receiver.came), [row.state for row in rows(database)]) == (3, ["given-up"] * 2)


def test_programs_get_each_report_of_a_burst_signed_by_itself(
    database: Database, intake: Intake, work: Any, receiver: Receiver
) -> None:
    add(database, receiver.url())
    burst(database, "a", "b")
    request_deliveries(intake, actor="beat")
    assert [work(), work()] == [JobState.SUCCEEDED] * 2
    assert [came.signed_with(SECRET) for came in receiver.came] == [True, True]


def test_a_pause_that_the_receiver_asks_for_is_kept(
    database: Database, intake: Intake, work: Any, receiver: Receiver
) -> None:
    receiver.statuses, receiver.headers = [429], {"Retry-After": "1000"}
    add(database, receiver.url(), format=NotificationFormat.DISCORD)
    raise_it(database)
    request_deliveries(intake, actor="beat")
    work()
    with database.transaction() as tx:
        pause = tx.scalar(text("SELECT extract(epoch FROM next_at - clock_timestamp()) FROM deliveries"))
    assert 900 < float(pause) <= 1000


@pytest.mark.parametrize("format", [NotificationFormat.JSON, NotificationFormat.NTFY])
def test_a_receiver_that_asks_for_a_pause_gets_nothing_else_until_its_end(
    database: Database, intake: Intake, work: Any, receiver: Receiver, format: NotificationFormat
) -> None:
    receiver.statuses, receiver.headers = [429], {"Retry-After": "1000"}
    add(database, receiver.url(), format=format)
    raise_it(database)
    request_deliveries(intake, actor="beat")
    work()
    burst(database, "a")
    later(database)
    assert request_deliveries(intake, actor="beat") == 0, "neither the old report nor the new one"
    with database.transaction() as tx:
        tx.execute(update(DestinationRow).values(sent_at=text("sent_at - interval '1011 s'")))
    assert request_deliveries(intake, actor="beat") == 2


def test_a_worker_that_dies_with_a_try_costs_that_try(database: Database, intake: Intake) -> None:
    add(database, "https://hooks.example/")
    raise_it(database)
    request_deliveries(intake, actor="beat")
    with database.transaction() as tx:
        tx.execute(update(JobRow).values(state="dead"))
    later(database)
    assert request_deliveries(intake, actor="beat") == 1
    assert rows(database)[0].attempts == 2


def test_a_try_by_hand_says_nothing_but_that_it_arrives(
    database: Database, intake: Intake, work: Any, receiver: Receiver
) -> None:
    add(database, receiver.url())
    request_test(intake, "ops", actor="ann")
    assert work() is JobState.SUCCEEDED
    (came,) = receiver.came
    assert came.signed_with(SECRET)
    assert json.loads(came.body)["event"] == "test"


def test_nobody_can_be_tried_who_is_not_there(intake: Intake) -> None:
    with pytest.raises(NotFound):
        request_test(intake, "nobody", actor="ann")


def test_no_job_and_no_event_holds_the_secret(
    database: Database, intake: Intake, work: Any, receiver: Receiver
) -> None:
    add(database, receiver.url("/hook"))
    raise_it(database)
    request_deliveries(intake, actor="beat")
    work()
    with database.transaction() as tx:
        everything = tx.scalar(text(
            "SELECT coalesce(string_agg(j::text, ''), '') || (SELECT string_agg(e::text, '') FROM events e)"
            " || (SELECT string_agg(s::text, '') FROM steps s) FROM jobs j"))  # fmt: skip
    assert SECRET not in str(everything)


# The dead man's switch


def test_the_dead_mans_address_is_called_once_in_a_period(
    database: Database, intake: Intake, work: Any, receiver: Receiver
) -> None:
    assert [request_deadman(intake, actor=beat) for beat in ("beat-1", "beat-2")] == [True, False]
    assert work() is JobState.SUCCEEDED
    assert [came.path for came in receiver.came] == ["/alive"]
    with database.transaction() as tx:
        call = dead_man.last(tx)
    assert call is not None
    assert (call.answered is not None, call.error) == (True, "")


def test_while_occurrences_wait_for_their_verdict_it_is_not_called(database: Database, intake: Intake) -> None:
    factories.add_live(database, "report", "cron")
    with database.transaction() as tx:
        tx.execute(update(CronStateRow).values(next_due=text("clock_timestamp() - interval '6 s'")))
    assert not request_deadman(intake, actor="beat")


def test_without_an_address_nobody_is_called(intake: Intake) -> None:
    settings = intake.settings.model_copy(update={"deadman_url": ""})
    assert not request_deadman(replace(intake, settings=settings), actor="beat")


def test_a_call_that_fails_is_remembered_with_why(
    database: Database, intake: Intake, work: Any, receiver: Receiver
) -> None:
    receiver.statuses = [503]
    request_deadman(intake, actor="beat")
    assert work() is JobState.FAILED
    with database.transaction() as tx:
        call = dead_man.last(tx)
    assert call is not None
    assert call.error == "it answered 503"


def test_listed_deliveries_tell_what_became_of_each(
    database: Database, intake: Intake, work: Any, receiver: Receiver
) -> None:
    receiver.statuses = [500]
    add(database, receiver.url())
    raise_it(database)
    request_deliveries(intake, actor="beat")
    work()
    with database.transaction() as tx:
        (told,) = deliveries.listed(tx, "ops", Cut()).items
    assert (told.state, told.attempts, told.outcome, told.next_at is not None) == (
        "waiting",
        1,
        "it answered 500",
        True,
    )
