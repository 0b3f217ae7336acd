"""An outage of three hours under each policy: the ledger records exactly what happened to every occurrence."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from sqlalchemy import text

from norn_tasks.celery_app import Waker
from norn_tasks.domain.jobs.requests import CronRunJobRequest
from norn_tasks.domain.schedule import RunTrigger
from norn_tasks.scheduler.loop import BeatLoop
from norn_tasks.settings import Settings
from norn_tasks.store.broker.live import Live
from norn_tasks.store.cron import schedules
from norn_tasks.store.database.session import Database
from tests import factories
from tests.cron_kit import MINUTE, Cron, minute
from tests.servers import Broker, allowed

HOURS = timedelta(hours=3)


@pytest.fixture
def cron(database: Database) -> Cron:
    return Cron(database)


def _behind(cron: Cron, more: str, *, late: timedelta) -> int:
    """Makes an hourly app whose occurrences of three hours no scheduler has decided; the newest was due `late` ago.
    Lets a scheduler decide them, and returns the number of accepted runs.
    """
    hour = minute(cron.now() - late)
    cron.add("report", f"{hour.minute} * * * *", more)
    cron.outage("report", HOURS + late - timedelta(seconds=30))
    return cron.round()


def test_catchup_none_misses_all_of_it(cron: Cron) -> None:
    assert _behind(cron, "catchup: none", late=10 * MINUTE) == 0
    (tick,) = cron.ticks()
    assert (tick.verdict, tick.how_many, tick.until - tick.scheduled_for) == ("missed", 3, 2 * 60 * MINUTE)
    assert tick.reason == "no scheduler was running when it was due"


def test_catchup_last_runs_the_newest(cron: Cron) -> None:
    assert _behind(cron, "catchup: last", late=10 * MINUTE) == 1
    assert cron.verdicts() == [("missed", 2), ("caught_up", 1)]


def test_catchup_all_runs_each_oldest_first(cron: Cron) -> None:
    assert _behind(cron, "catchup: all", late=10 * MINUTE) == 3
    assert cron.verdicts() == [("caught_up", 1)] * 3
    runs = cron.runs()
    assert [run.scheduled_for for run in runs] == [tick.scheduled_for for tick in cron.ticks()]
    assert {run.trigger for run in runs} == {"catchup"}


def test_catchup_all_runs_the_newest_twenty_four_and_counts_the_rest(cron: Cron) -> None:
    cron.add("report", "* * * * *", "catchup: all")
    since = cron.outage("report", HOURS)
    newest = minute(cron.now())
    cron.round()
    missed, *others = cron.ticks()
    assert (missed.verdict, missed.how_many) == ("missed", 155)
    assert missed.scheduled_for == minute(since) + MINUTE
    assert missed.until == newest - 25 * MINUTE
    assert [tick.scheduled_for for tick in others] == [newest - n * MINUTE for n in range(24, -1, -1)]
    assert [tick.verdict for tick in others] == ["caught_up"] * 24 + ["fired"]


def test_catchup_all_decides_the_live_occurrence_first(cron: Cron) -> None:
    cron.add("report", "* * * * *", "catchup: all")
    cron.outage("report", HOURS)
    cron.round()
    first, *later = cron.jobs()
    assert (first.args, {job.args["trigger"] for job in later}) == ({"trigger": "schedule"}, {"catchup"})


def test_a_start_deadline_bounds_what_catching_up_runs(cron: Cron) -> None:
    assert _behind(cron, "catchup: all\nstartDeadline: 5m", late=10 * MINUTE) == 0
    assert cron.verdicts() == [("missed", 3)]


def test_catchup_all_runs_what_its_start_deadline_still_allows(cron: Cron) -> None:
    assert _behind(cron, "catchup: all\nstartDeadline: 90m", late=10 * MINUTE) == 2
    assert cron.verdicts() == [("missed", 1), ("caught_up", 1), ("fired", 1)]


def test_within_its_start_deadline_a_late_occurrence_is_on_time(cron: Cron) -> None:
    assert _behind(cron, "catchup: none\nstartDeadline: 30m", late=10 * MINUTE) == 1
    assert cron.verdicts() == [("missed", 2), ("fired", 1)]


def test_a_daily_report_is_caught_up_after_an_outage_over_its_hour(cron: Cron) -> None:
    """The outage lasts from ten minutes before the due time to two hours after it, as from 08:50 to 11:00 for a daily
    report at 09:00.
    """
    due = minute(cron.now() - 2 * 60 * MINUTE)
    cron.add("report", f"{due.minute} {due.hour} * * *")
    cron.outage("report", 2 * 60 * MINUTE + 10 * MINUTE + timedelta(seconds=59))
    assert cron.round() == 1
    (tick,), (run,) = cron.ticks(), cron.runs()
    assert (tick.verdict, tick.scheduled_for, tick.execution) == ("caught_up", due, run.id)
    assert (run.trigger, run.planned_at) == ("catchup", due)


def test_a_caught_up_run_is_told_so(cron: Cron) -> None:
    _behind(cron, "catchup: last", late=10 * MINUTE)
    assert cron.claim().request == CronRunJobRequest(RunTrigger.CATCHUP)


def test_a_pause_across_an_outage_is_one_range(cron: Cron) -> None:
    cron.add("report", "* * * * *")
    with cron.database.transaction() as tx:
        schedules.pause(tx, "report", "ann", "tax season")
    cron.outage("report", HOURS)
    assert cron.round() == 0
    (tick,) = cron.ticks()
    assert (tick.verdict, tick.how_many, tick.open, tick.actor) == ("skipped_paused", 180, True, "ann")
    with cron.database.transaction() as tx:
        schedules.resume(tx, "report", "bob")
    (tick,) = cron.ticks()
    assert (tick.open, tick.closed_by, tick.closed_for) == (False, "bob", "resume")


def test_resume_after_an_outage_runs_nothing_of_it(cron: Cron) -> None:
    """The occurrences of the outage belong to the pause: the resume decides them first, and none of them runs."""
    cron.add("report", "* * * * *", "catchup: all")
    with cron.database.transaction() as tx:
        schedules.pause(tx, "report", "ann", "")
    cron.outage("report", HOURS)
    with cron.database.transaction() as tx:
        schedules.resume(tx, "report", "ann")
    assert cron.round() == 0
    assert cron.verdicts() == [("skipped_paused", 180)]


def test_an_outage_longer_than_one_turn_is_still_one_row(cron: Cron) -> None:
    """A schedule that is due every minute has more occurrences in four days than one round counts."""
    cron.add("report", "* * * * *", "catchup: none")
    cron.outage("report", timedelta(days=4))
    assert cron.round() == 1
    assert cron.verdicts() == [("missed", 4 * 1440 - 1), ("fired", 1)]


def test_an_edit_after_an_outage_counts_it_under_the_old_schedule(cron: Cron) -> None:
    cron.add("report", "* * * * *")
    cron.outage("report", HOURS)
    with cron.database.transaction() as tx:
        schedules.override(tx, "report", "0 0 29 2 *", None, "ann")
    cron.round()
    assert cron.verdicts() == [("missed", 179), ("fired", 1)]


def test_a_schedule_that_is_removed_leaves_its_outage_counted(cron: Cron) -> None:
    cron.add("report", "* * * * *", "catchup: all")
    cron.outage("report", HOURS)
    with cron.database.transaction() as tx:
        schedules.remove(tx, "report", actor="ann")
    cron.round()
    assert cron.verdicts() == [("missed", 179), ("failed_to_start", 1)]


def test_beat_speaks_and_sweeps_while_it_counts_a_long_outage(cron: Cron, broker: Broker) -> None:
    for number in range(4):
        cron.add(f"app{number}", f"*/1 0-23 * * 0-6,{number}")
        cron.outage(f"app{number}", timedelta(days=60))
    with cron.database.transaction() as tx:
        factories.add_job(tx, app="lost")
    factories.claim(cron.database, lease=0.001)
    settings = Settings(database_url=cron.database.url, broker_url=broker.url)
    loop = BeatLoop(cron.database, settings, Waker(broker.url), Live(broker.url))
    began = time.monotonic()
    loop.turn()
    assert time.monotonic() - began < allowed(3.0)
    (beat,) = cron.rows(text("SELECT lag_seconds, (SELECT count(*) FROM cron_gaps) AS gaps FROM beats"))
    assert beat.gaps > 0
    assert cron.rows(text("SELECT state FROM jobs WHERE app = 'lost'")) == [("queued",)]
