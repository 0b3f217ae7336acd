"""After an upgrade schedules continue from their last occurrence, and alerts are raised and resolved by the
same rules.
"""

from __future__ import annotations

import pytest

from norn_tasks.dispatch import request_deliveries
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.scheduler.due_schedules import DueSchedules
from norn_tasks.store.alerts import cron_rules
from tests import factories
from tests.fakes.runtime import Does
from tests.integration.upgrade.conftest import Copies
from tests.upgrade.kit import Plane


def beat(plane: Plane) -> None:
    """Decides every due schedule and every gap of an outage."""
    due = DueSchedules(plane.database, plane.intake.settings, plane.intake.waker, "beat@new-host:1")
    while due.round():
        pass


def occurrences(plane: Plane, app: str) -> dict[str, int]:
    """Returns how many occurrences the new scheduler decided for an app, by verdict."""
    rows = plane.rows(
        """SELECT verdict, sum(how_many)::int AS n FROM cron_ticks WHERE app = :app AND decided_by = 'beat@new-host:1'
           GROUP BY 1""",
        app=app,
    )
    return {row.verdict: row.n for row in rows}


def open_alerts(plane: Plane) -> set[tuple[str, str]]:
    """Returns the kinds and apps of the open alerts."""
    return {(alert["kind"], alert["app"]) for alert in plane.get("/api/alerts")["items"]}


def fail_next_run(plane: Plane, app: str) -> None:
    """Lets the schedule of an app come due once more, and its run fail."""
    with plane.database.transaction() as tx:
        for table in ("cron_ticks", "cron_executions"):  # the same occurrence is decided again
            tx.exec_driver_sql(
                f"UPDATE {table} SET scheduled_for = scheduled_for - interval '36 h' WHERE app = %s", (app,)
            )
        factories.make_due(tx, app, "11 minutes")
    plane.runtime.programs, plane.runtime.default = {}, Does(exit_code=1)
    beat(plane)
    plane.run(JobClass.CRON)


@pytest.fixture(scope="module")
def decided(copies: Copies) -> Plane:
    """A control plane whose scheduler has decided the occurrences that were due during the upgrade."""
    plane = copies()
    beat(plane)
    return plane


# Occurrences that were due during the upgrade


def test_what_came_due_is_accounted_for_and_the_newest_runs(decided: Plane) -> None:
    found = occurrences(decided, "ticker")
    assert sum(found.values()) in (3, 4)
    assert found.get("fired", 0) + found.get("caught_up", 0) == 1


def test_an_interval_is_counted_from_its_old_anchor(decided: Plane) -> None:
    assert sum(occurrences(decided, "hourly").values()) == 2


def test_a_gap_that_was_being_counted_is_counted_to_its_end(decided: Plane) -> None:
    assert decided.rows("SELECT * FROM cron_gaps") == []
    found = occurrences(decided, "outage")
    assert (found["caught_up"], found["missed"] in range(34, 37)) == (24, True)


@pytest.mark.parametrize("app", ["cleanup", "hidden", "unreadable"])
def test_a_schedule_that_is_paused_off_or_unreadable_starts_nothing(decided: Plane, app: str) -> None:
    runs = decided.rows("SELECT 1 FROM jobs WHERE app = :app AND actor = 'beat@new-host:1'", app=app)
    assert (runs, occurrences(decided, app)) == ([], {})


def test_a_schedule_without_an_override_again_is_the_specs(own: Plane) -> None:
    own.admin.ask("DELETE", "/api/apps/digest/cron/schedule")
    schedule = own.get("/api/apps/digest/cron")["schedule"]
    assert (schedule["text"], schedule["timezone"], schedule["override"]) == ("0 9 * * *", "UTC", None)


def test_a_pause_can_be_ended(own: Plane) -> None:
    own.admin.post("/api/apps/cleanup/cron/resume", json={})
    assert own.get("/api/apps/cleanup/cron")["schedule"]["state"] == "scheduled"


def test_a_run_that_goes_on_refuses_another_one(own: Plane) -> None:
    assert own.admin.post("/api/apps/busy/cron/trigger", json={}).json["code"] == "already_running"


# Alerts and notifications


def test_a_look_for_alerts_raises_and_resolves_none(own: Plane) -> None:
    before = open_alerts(own)
    cron_rules.look(own.database, 7)
    assert open_alerts(own) == before


def test_an_alert_is_resolved_by_what_resolves_it(own: Plane) -> None:
    own.admin.post("/api/apps/cleanup/cron/resume", json={})
    cron_rules.look(own.database, 7)
    assert ("paused-long", "cleanup") not in open_alerts(own)


def test_one_failed_run_of_an_app_without_a_rule_raises_an_alert(own: Plane) -> None:
    fail_next_run(own, "digest")
    assert ("runs-failing", "digest") in open_alerts(own)


def test_a_rule_of_two_failures_is_kept(own: Plane) -> None:
    fail_next_run(own, "strict")
    assert ("runs-failing", "strict") not in open_alerts(own)
    fail_next_run(own, "strict")
    assert ("runs-failing", "strict") in open_alerts(own)


def test_a_notification_that_was_never_tried_is_sent(own: Plane) -> None:
    request_deliveries(own.intake, actor="beat@new-host:1")
    own.run(JobClass.OBSERVE)
    assert ("image-gone", "report") in {(sent.body.get("kind"), sent.body.get("app")) for sent in own.messenger.sent}
