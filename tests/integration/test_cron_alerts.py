"""Alerts of cron apps: the events that raise each kind, the events that resolve it, and that each alert is reported
once.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, text, update

from norn_tasks.domain.alerting.alert import AlertKind, key
from norn_tasks.domain.jobs.job import JobState, Problem
from norn_tasks.domain.jobs.writes import ImagesSeen
from norn_tasks.domain.schedule import NOBODY_DECIDED, RunTrigger
from norn_tasks.store.alerts import alerts, cron_rules, scheduler_rules
from norn_tasks.store.cron import schedules
from norn_tasks.store.database.pages import Cut
from norn_tasks.store.database.session import Database
from norn_tasks.store.queue import endings, jobs
from norn_tasks.store.releases import releases
from norn_tasks.store.runs import runs
from norn_tasks.store.tables import (
    AlertRow,
    CronExecutionRow,
    CronGapRow,
    CronStateRow,
    CronTickRow,
    EventRow,
    ReleaseRow,
)
from tests import factories

EXITED = Problem("exit", "it exited 3")
DAYS = 7.0


@pytest.fixture
def report(database: Database) -> Database:
    """A database with the cron app `report`, live."""
    factories.add_live(database, "report", "cron")
    return database


def ended(
    database: Database, state: JobState, problem: Problem | None = None, trigger: RunTrigger = RunTrigger.SCHEDULE
) -> int:
    """Makes a run of `report` that has ended in this way; returns the id of its execution."""
    with database.transaction() as tx:
        live = releases.require_live(tx, "report")
        run = runs.accept_cron_run(tx, live, trigger=trigger, scheduled_for=None, actor="test", patience=60)
        if state is JobState.SUCCEEDED:
            well = {"state": "succeeded", "finished_at": text("clock_timestamp()")}
            tx.execute(update(CronExecutionRow).where(CronExecutionRow.id == run.execution).values(well))
        endings.end(tx, jobs.get(tx, run.job), state, problem)
    return run.execution


def told(database: Database, *, also_resolved: bool = True) -> list[alerts.Alert]:
    with database.transaction() as tx:
        found = alerts.listed(tx, also_resolved=also_resolved, reach=None, cut=Cut())
    return list(found.items)


def kinds(database: Database) -> list[str]:
    return [alert.kind for alert in told(database, also_resolved=False)]


def events(database: Database) -> list[str]:
    with database.transaction() as tx:
        query = select(EventRow.kind).where(EventRow.kind.like("alert.%")).order_by(EventRow.id)
        return list(tx.execute(query).scalars())


def look(database: Database, days: float = DAYS) -> None:
    cron_rules.look(database, days)


def add_tick(database: Database, minute: int, verdict: str, **more: Any) -> None:
    with database.transaction() as tx:
        moment = text(f"timestamptz '2026-11-25 09:00Z' + interval '{minute} min'")
        values = {"app": "report", "scheduled_for": moment, "verdict": verdict, "decided_by": "beat", **more}
        tx.execute(insert(CronTickRow).values(values))


def add_run(database: Database, minute: int, verdict: str, *, begun: bool) -> None:
    """Adds an occurrence with a run that has begun or that waits."""
    with database.transaction() as tx:
        live = releases.require_live(tx, "report")
        run = runs.accept_cron_run(tx, live, trigger=RunTrigger.SCHEDULE, scheduled_for=None, actor="test", patience=60)
        if begun:
            tx.execute(update(CronExecutionRow).values(begun_at=text("clock_timestamp()")))
    add_tick(database, minute, verdict, execution=run.execution, job_id=run.job)


# Runs that fail


def test_a_failed_run_raises_an_alert_that_says_why(report: Database) -> None:
    run = ended(report, JobState.FAILED, EXITED)
    (alert,) = told(report)
    assert (alert.kind, alert.app) == (AlertKind.RUNS_FAILING, "report")
    assert (alert.sentence, alert.hint) == (f"run {run} of report failed: it exited 3", f"norn cron logs report {run}")


def test_the_next_failure_is_the_same_alert_brought_up_to_date(report: Database) -> None:
    runs_made = [ended(report, JobState.FAILED, EXITED) for _ in range(3)]
    assert [alert.hint for alert in told(report)] == [f"norn cron logs report {runs_made[-1]}"]
    assert events(report) == ["alert.raised"]


def test_a_run_that_goes_well_resolves_it(report: Database) -> None:
    ended(report, JobState.FAILED, EXITED)
    run = ended(report, JobState.SUCCEEDED)
    look(report)
    (alert,) = told(report)
    assert alert.resolved_at is not None
    assert alert.resolution == f"run {run} succeeded"
    assert events(report) == ["alert.raised", "alert.resolved"]


def test_trouble_that_comes_back_is_a_new_alert(report: Database) -> None:
    for state in (JobState.FAILED, JobState.SUCCEEDED, JobState.FAILED):
        ended(report, state, None if state is JobState.SUCCEEDED else EXITED)
        look(report)
    assert [alert.resolved_at is None for alert in told(report)] == [True, False]


def test_a_run_by_hand_that_fails_is_told_to_who_asked_for_it(report: Database) -> None:
    ended(report, JobState.FAILED, EXITED, RunTrigger.MANUAL)
    assert told(report) == []


def test_a_run_by_hand_that_goes_well_resolves(report: Database) -> None:
    ended(report, JobState.FAILED, EXITED)
    ended(report, JobState.SUCCEEDED, trigger=RunTrigger.MANUAL)
    look(report)
    assert kinds(report) == []


@pytest.mark.parametrize("state", [JobState.CANCELLED, JobState.SUPERSEDED])
def test_a_cancelled_run_did_not_fail(report: Database, state: JobState) -> None:
    ended(report, state, Problem("cancelled", "cancelled by ann"))
    assert told(report) == []


@pytest.mark.parametrize("state", [JobState.ERROR, JobState.DEAD])
def test_a_run_that_could_not_begin_failed(report: Database, state: JobState) -> None:
    ended(report, state, Problem("dead", "five workers took it"))
    assert kinds(report) == ["runs-failing"]


def test_a_run_that_nobody_began_in_time_was_missed(report: Database) -> None:
    moment = datetime(2026, 11, 25, 9, tzinfo=UTC)
    with report.transaction() as tx:
        live = releases.require_live(tx, "report")
        run = runs.accept_cron_run(
            tx, live, trigger=RunTrigger.SCHEDULE, scheduled_for=moment, actor="schedule", patience=60
        )
    add_tick(report, 0, "fired", execution=run.execution)
    with report.transaction() as tx:
        late = Problem("expired", "waited 60 s, and no worker was free to begin it", "norn worker list")
        endings.end(tx, jobs.get(tx, run.job), JobState.EXPIRED, late)
    look(report)
    (alert,) = told(report)
    assert (alert.kind, alert.sentence) == (
        AlertKind.RUNS_MISSED,
        "report did not run at 2026-11-25 09:00:00 UTC: waited 60 s, and no worker was free to begin it",
    )
    assert events(report) == ["alert.raised"]


def test_so_many_failures_within_the_window_raise_it(database: Database) -> None:
    factories.add_live(database, "report", "cron", "alerts: {window: 10m, threshold: 3}\n")
    ended(database, JobState.FAILED, EXITED)
    ended(database, JobState.FAILED, EXITED)
    assert told(database) == []
    ended(database, JobState.FAILED, EXITED)
    assert [alert.sentence for alert in told(database)] == [
        "3 runs of report failed within 600 s, the last one: it exited 3"
    ]


def test_failures_before_the_window_do_not_count(database: Database) -> None:
    factories.add_live(database, "report", "cron", "alerts: {window: 10m, threshold: 2}\n")
    ended(database, JobState.FAILED, EXITED)
    with database.transaction() as tx:
        tx.execute(update(CronExecutionRow).values(finished_at=text("clock_timestamp() - interval '11 min'")))
    ended(database, JobState.FAILED, EXITED)
    assert told(database) == []


def test_an_image_that_is_gone_has_an_alert_of_its_own(report: Database) -> None:
    ended(report, JobState.ERROR, Problem("release_gone", "its image is not on the engine", "norn deploy report"))
    (alert,) = told(report)
    assert (alert.kind, alert.hint) == (AlertKind.IMAGE_GONE, "norn deploy report")
    ended(report, JobState.SUCCEEDED)
    look(report)
    assert kinds(report) == []


def test_a_run_that_went_well_before_resolves_nothing(report: Database) -> None:
    ended(report, JobState.SUCCEEDED)
    seen(report, "sha256:other")
    look(report)
    assert kinds(report) == ["image-gone"]


def test_a_failure_after_the_success_leaves_it_open(report: Database) -> None:
    for state in (JobState.FAILED, JobState.SUCCEEDED, JobState.FAILED):
        ended(report, state, None if state is JobState.SUCCEEDED else EXITED)
    look(report)
    assert (kinds(report), events(report)) == (["runs-failing"], ["alert.raised"])


def seen(database: Database, *ids: str, engine: str = factories.ENGINE, live: str = "2 min") -> None:
    with database.transaction() as tx:
        tx.execute(update(ReleaseRow).values(live_at=text(f"clock_timestamp() - interval '{live}'")))
        cron_rules.images_seen(tx, ImagesSeen(engine, frozenset(ids)))


def test_an_image_that_a_look_misses_is_told_before_the_next_run(report: Database) -> None:
    seen(report, "sha256:other")
    seen(report, "sha256:other")
    (alert,) = told(report)
    assert (alert.kind, alert.hint) == (AlertKind.IMAGE_GONE, "norn deploy report")
    assert alert.sentence == "report cannot run: the image of its release 1 is no longer on its engine"


def test_an_image_that_is_there_again_resolves_it(report: Database) -> None:
    seen(report)
    seen(report, "sha256:1")
    assert (kinds(report), events(report)) == ([], ["alert.raised", "alert.resolved"])


def test_another_engine_says_nothing_about_it(report: Database) -> None:
    seen(report, engine="engine-2")
    assert told(report) == []


def test_an_image_that_just_went_live_may_have_come_after_the_look(report: Database) -> None:
    seen(report, live="5 s")
    assert told(report) == []


# Missed occurrences


def test_missed_occurrences_raise_an_alert_with_their_number(report: Database) -> None:
    add_tick(report, 0, "missed", how_many=180, until=text("timestamptz '2026-11-25 12:00Z'"))
    look(report)
    (alert,) = told(report)
    assert (alert.kind, alert.hint) == (AlertKind.RUNS_MISSED, "norn cron history report --verdict missed")
    assert alert.sentence == "report did not run 180 times, from 2026-11-25 09:00:00 to 2026-11-25 12:00:00 UTC"


def test_a_short_absence_of_the_scheduler_is_one_alert_of_the_server(report: Database) -> None:
    factories.add_live(report, "other", "cron")
    for app, count in (("report", 3), ("other", 1)):
        add_tick(report, 0, "missed", app=app, how_many=count, reason=NOBODY_DECIDED, scheduled_for=text(SHORTLY))
    look(report)
    scheduler_rules.look(report)
    (alert,) = told(report)
    assert (alert.kind, alert.app) == (AlertKind.SCHEDULER_AWAY, "")
    assert alert.sentence.endswith("UTC: 2 apps missed 4 occurrences")
    scheduler_rules.look(report)
    assert kinds(report) == ["scheduler-away"]
    with report.transaction() as tx:
        tx.execute(update(CronTickRow).values(decided_at=text("decided_at - interval '61 s'")))
    scheduler_rules.look(report)
    scheduler_rules.look(report)
    assert (kinds(report), events(report)) == ([], ["alert.raised", "alert.resolved"])


def test_a_long_absence_is_an_alert_of_the_app_too(report: Database) -> None:
    add_tick(report, 0, "missed", reason=NOBODY_DECIDED, scheduled_for=text("clock_timestamp() - interval '2 min'"))
    look(report)
    assert kinds(report) == ["runs-missed"]


SHORTLY = "clock_timestamp() - interval '30 s'"


def test_one_missed_occurrence_is_told_by_its_moment(report: Database) -> None:
    add_tick(report, 0, "missed")
    look(report)
    assert [alert.sentence for alert in told(report)] == ["report did not run at 2026-11-25 09:00:00 UTC"]


def test_while_an_outage_is_still_counted_nothing_is_told(report: Database) -> None:
    add_tick(report, 0, "missed", how_many=2000)
    with report.transaction() as tx:
        tx.execute(insert(CronGapRow).values(
            app="report", schedule="* * * * *", timezone="UTC", anchor=factories.LONG_AGO, after=factories.LONG_AGO,
            before=text("clock_timestamp()"), verdict="missed", reason="", decided_by="beat"))  # fmt: skip
    look(report)
    assert told(report) == []
    with report.transaction() as tx:
        tx.execute(delete(CronGapRow))
    look(report)
    assert kinds(report) == ["runs-missed"]


def test_looking_again_tells_nothing_again(report: Database) -> None:
    add_tick(report, 0, "missed")
    for _ in range(3):
        look(report)
    assert events(report) == ["alert.raised"]


def test_a_later_occurrence_that_fires_resolves_it_for_good(report: Database) -> None:
    add_tick(report, 0, "missed")
    add_run(report, 1, "caught_up", begun=True)
    for _ in range(3):
        look(report)
    assert (kinds(report), events(report)) == ([], ["alert.raised", "alert.resolved"])


def test_a_later_occurrence_that_only_waits_resolves_nothing(report: Database) -> None:
    add_tick(report, 0, "missed")
    add_run(report, 1, "fired", begun=False)
    for _ in range(3):
        look(report)
    assert (kinds(report), events(report)) == (["runs-missed"], ["alert.raised"])


def test_an_earlier_occurrence_resolves_nothing(report: Database) -> None:
    add_tick(report, 0, "fired")
    add_tick(report, 1, "missed")
    for _ in range(3):
        look(report)
    assert kinds(report) == ["runs-missed"]


def test_two_that_look_at_once_tell_it_once(report: Database) -> None:
    add_tick(report, 0, "missed")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: look(report), range(8)))
    assert events(report) == ["alert.raised"]


# A long pause, a schedule that is removed


def paused_for(database: Database, interval: str) -> None:
    with database.transaction() as tx:
        schedules.pause(tx, "report", "ann", "the mail server moves")
        tx.execute(update(CronStateRow).values(paused_at=text(f"clock_timestamp() - interval '{interval}'")))


def test_a_pause_of_many_days_raises_an_alert_with_who_and_why(report: Database) -> None:
    paused_for(report, "8 days")
    look(report)
    look(report)
    (alert,) = told(report)
    assert alert.sentence.startswith("report has been paused since ")
    assert alert.sentence.endswith(" by ann: the mail server moves")
    assert events(report) == ["alert.raised"]


def test_a_pause_of_few_days_does_not(report: Database) -> None:
    paused_for(report, "6 days")
    look(report)
    assert told(report) == []


def test_resuming_resolves_it(report: Database) -> None:
    paused_for(report, "8 days")
    look(report)
    with report.transaction() as tx:
        schedules.resume(tx, "report", "ann")
    look(report)
    assert kinds(report) == []


def test_waiting_for_the_first_deploy_is_no_alert(database: Database) -> None:
    with database.transaction() as tx:
        factories.add_app(tx, factories.spec("report", "cron"))
        schedules.register(tx, "report", "0 9 * * *", "UTC", 1)
        tx.execute(update(CronStateRow).values(anchor=factories.LONG_AGO, decided_until=factories.LONG_AGO))
    look(database)
    assert told(database) == []


def test_a_schedule_that_is_removed_takes_its_alerts_along(report: Database) -> None:
    ended(report, JobState.FAILED, EXITED)
    with report.transaction() as tx:
        schedules.remove(tx, "report")
    look(report)
    assert [alert.resolution for alert in told(report)] == ["it no longer has a schedule"]


# Alerts of another rule


def raised_elsewhere(database: Database, kind: AlertKind, app: str, **more: Any) -> None:
    """Opens an alert that another rule raised."""
    raised = {
        "key": key(kind, app),
        "kind": str(kind),
        "app": app,
        "sentence": "it does not answer",
        "hint": "",
        **more,
    }
    with database.transaction() as tx:
        tx.execute(insert(AlertRow).values(rule="health", **raised))


def test_an_alert_of_another_rule_stays_open_though_its_app_has_no_schedule(database: Database) -> None:
    factories.add_live(database, "web", "webserver")
    raised_elsewhere(database, AlertKind.RUNS_FAILING, "web")
    look(database)
    assert kinds(database) == ["runs-failing"]


@pytest.mark.parametrize("kind", AlertKind)
def test_what_resolves_the_alerts_of_cron_apps_leaves_those_of_other_rules(report: Database, kind: AlertKind) -> None:
    raised_elsewhere(report, kind, "report", raised_at=factories.LONG_AGO)
    ended(report, JobState.SUCCEEDED)
    seen(report, "sha256:1")
    look(report)
    assert kinds(report) == [kind]


def test_two_rules_can_have_an_alert_of_one_kind_and_app_each(report: Database) -> None:
    raised_elsewhere(report, AlertKind.RUNS_FAILING, "report")
    ended(report, JobState.FAILED, EXITED)
    assert kinds(report) == ["runs-failing", "runs-failing"]
