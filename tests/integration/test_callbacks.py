"""Callbacks of asynchronous calls: a signed report for each end, however the call ended."""

from __future__ import annotations

import json
from typing import Any

import pytest

from norn_tasks import dispatch
from norn_tasks.dispatch import Intake, request_cancel, request_deliveries, request_invoke
from norn_tasks.domain.alerting.destination import NotificationFormat
from norn_tasks.domain.alerting.notification import CALL_ENDED
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.jobs.call import Call
from norn_tasks.domain.jobs.job import JobState
from norn_tasks.store.alerts import destinations
from norn_tasks.store.alerts.deliveries import CALLS_AT_ONCE
from norn_tasks.store.database.session import Database
from norn_tasks.store.runs import callbacks
from tests import factories
from tests.integration import test_deliveries
from tests.integration.test_deliveries import SECRET, add, raise_it, rows
from tests.receiver import Receiver

intake, receiver, work = test_deliveries.intake, test_deliveries.receiver, test_deliveries.work
"""The fixtures of the tests of notifications, which these tests use too."""


def _call(intake: Intake, callback: str = "ops", app: str = "fn") -> dispatch.Accepted:
    return request_invoke(intake, app, call=Call(), sync=False, actor="ann", callback=callback)


def test_end_of_a_call_comes_signed_and_once(database: Database, intake: Intake, receiver: Receiver, work: Any) -> None:
    factories.add_live(database, "fn", "function")
    add(database, receiver.url("/hook"))
    accepted = _call(intake)
    assert request_deliveries(intake, actor="beat") == 0
    request_cancel(intake, accepted.job, actor="ann")
    assert request_deliveries(intake, actor="beat") == 1
    assert work() is JobState.SUCCEEDED
    (sent,) = receiver.came
    body = json.loads(sent.body)
    assert (body["event"], body["execution"], body["state"]) == ("call.ended", accepted.execution, "cancelled")
    assert (body["app"], body["href"]) == ("fn", f"/api/invocations/{accepted.execution}")
    assert sent.signed_with(SECRET)
    assert request_deliveries(intake, actor="beat") == 0
    assert [row.app for row in rows(database)] == ["fn"]


def test_flood_of_reports_delays_no_alert_and_does_not_fill_the_queue(
    database: Database, intake: Intake, receiver: Receiver
) -> None:
    factories.add_live(database, "fn", "function")
    add(database, receiver.url("/hook"))
    for _ in range(CALLS_AT_ONCE + 2):
        request_cancel(intake, _call(intake).job, actor="ann")
    with database.transaction() as tx:
        callbacks.ended(tx, 100)
    raise_it(database)
    assert request_deliveries(intake, actor="beat") == 1 + CALLS_AT_ONCE
    first = min((row for row in rows(database) if row.job_id is not None), key=lambda row: row.job_id)
    assert first.event != CALL_ENDED
    assert request_deliveries(intake, actor="beat") == 0


@pytest.mark.parametrize("wanted", [
    {"name": "other"}, {"apps": ("blog",)}, {"format": NotificationFormat.NTFY},
])  # fmt: skip
def test_destination_must_be_there_for_the_app_and_sign(
    database: Database, intake: Intake, receiver: Receiver, wanted: dict[str, Any]
) -> None:
    factories.add_live(database, "fn", "function")
    add(database, receiver.url("/hook"), **wanted)
    with pytest.raises(InvalidRequest, match="fn has no destination 'ops'"):
        _call(intake)


def test_destination_that_was_removed_gets_nothing(database: Database, intake: Intake, receiver: Receiver) -> None:
    factories.add_live(database, "fn", "function")
    add(database, receiver.url("/hook"))
    accepted = _call(intake)
    with database.transaction() as tx:
        destinations.remove(tx, "ops", "ann")
    request_cancel(intake, accepted.job, actor="ann")
    assert (request_deliveries(intake, actor="beat"), rows(database)) == (0, [])
