"""Deciding occurrences: each gets exactly one row and one verdict, whichever scheduler decides and however late."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from norn_tasks.domain.errors import Conflict, WrongRole
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.domain.schedule import RunTrigger, policy_of
from norn_tasks.store.alerts import alerts, cron_rules
from norn_tasks.store.cron import deciding, effective, gaps, schedules
from norn_tasks.store.database.columns import NOW
from norn_tasks.store.database.pages import Cut
from norn_tasks.store.database.session import Database
from norn_tasks.store.queue import slots
from norn_tasks.store.releases import releases
from norn_tasks.store.runs import runs
from norn_tasks.store.tables import AppRow, CronExecutionRow, CronGapRow, CronStateRow, CronTickRow, EventRow, JobRow
from tests import factories


def _app(database: Database, name: str = "report", schedule: str = "'* * * * *'", more: str = "") -> None:
    wanted = factories.spec(name, "cron").model_copy(update={"schedule": schedule.strip("'")})
    if more:
        wanted = wanted.model_copy(update=dict([more.split("=")]))
    with database.transaction() as tx:
        factories.add_app(tx, wanted)
        factories.add_release(tx, wanted)
        schedules.register(tx, name, str(wanted.schedule), "UTC", 1, policy_of(wanted))
        slots.resize(tx, JobClass.CRON, name, 1)
        schedules.awaken(tx, name)


def _decide(database: Database, decider: str = "beat") -> int:
    """Does one round of a scheduler: due occurrences first, then those that an outage left undecided."""
    with database.transaction() as tx:
        rows = deciding.due_rows(tx, 100)
        started = deciding.decide(tx, rows, effective.clock(tx), decider).started
    looked = True
    while looked:
        with database.transaction() as tx:
            settled = gaps.settle(tx, decider)
        started, looked = started + settled.started, settled.looked > 0
    return started


def _ticks(database: Database) -> list[Any]:
    with database.transaction() as tx:
        return list(tx.execute(select(CronTickRow).order_by(CronTickRow.scheduled_for)))


def _due(database: Database, ago: str, app: str = "report") -> None:
    with database.transaction() as tx:
        factories.make_due(tx, app, ago)


def test_a_due_occurrence_is_fired_with_its_run(database: Database) -> None:
    _app(database)
    _due(database, "60 s")
    assert _decide(database) == 1
    (tick,) = _ticks(database)
    with database.transaction() as tx:
        run = tx.execute(select(CronExecutionRow)).one()
    assert (tick.verdict, tick.execution, run.scheduled_for) == ("fired", run.id, tick.scheduled_for)


def test_a_scheduled_run_is_accepted_as_a_manual_one_is(database: Database) -> None:
    _app(database)
    _due(database, "60 s")
    assert _decide(database) == 1
    with database.transaction() as tx:
        live = releases.require_live(tx, "report")
        runs.accept_cron_run(tx, live, trigger=RunTrigger.SCHEDULE, scheduled_for=None, actor="schedule", patience=60)
        scheduled, manual = tx.execute(select(JobRow.__table__).order_by(JobRow.id)).mappings().all()
        accepted = select(EventRow.seq, EventRow.app, EventRow.data).where(EventRow.kind == "job.accepted")
        events = [tuple(row) for row in tx.execute(accepted)]
    own = {"id", "execution", "run_after", "deadline", "created_at"}
    assert {key for key in scheduled if scheduled[key] != manual[key]} == own
    assert events == [(1, "report", {"kind": "cron-run", "actor": "schedule"})] * 2


def test_nothing_is_decided_before_it_is_due(database: Database) -> None:
    _app(database, schedule="'0 0 29 2 *'")
    assert _decide(database) == 0
    assert _ticks(database) == []


def test_two_deciders_at_once_fire_one_run(database: Database) -> None:
    for n in range(10):
        _app(database, f"report-{n}")
        _due(database, "60 s", f"report-{n}")
    with ThreadPoolExecutor(8) as pool:
        fired = list(pool.map(lambda n: _decide(database, f"beat-{n}"), range(8)))
    with database.transaction() as tx:
        jobs = tx.scalar(select(func.count()).select_from(JobRow))
    assert (sum(fired), jobs, len(_ticks(database))) == (10, 10, 10)


def test_an_occurrence_that_has_its_row_is_not_fired_again(database: Database) -> None:
    """The unique key prevents it: a schedule that was set back manually decides no occurrence twice."""
    _app(database)
    _due(database, "60 s")
    _decide(database)
    with database.transaction() as tx:
        tx.execute(update(JobRow).values(state="succeeded"))
    _due(database, "60 s")
    assert _decide(database) == 0
    assert len(_ticks(database)) == 1


def test_an_outage_is_one_row_and_one_run(database: Database) -> None:
    _app(database)
    _due(database, "180 minutes")
    assert _decide(database) == 1
    missed, newest = _ticks(database)
    assert (missed.verdict, missed.how_many) == ("missed", 179)
    assert newest.verdict == "fired"


def test_a_late_daily_run_is_caught_up(database: Database) -> None:
    _app(database, schedule="'@every 12h'")
    _due(database, "13 h")
    assert _decide(database) == 1
    (tick,) = _ticks(database)
    assert tick.verdict == "caught_up"


def test_a_late_run_of_catchup_none_is_missed(database: Database) -> None:
    _app(database, schedule="'@every 12h'", more="catchup=none")
    _due(database, "13 h")
    assert _decide(database) == 0
    (tick,) = _ticks(database)
    assert tick.verdict == "missed"


def test_a_run_still_under_way_makes_the_next_skipped(database: Database) -> None:
    _app(database)
    with database.transaction() as tx:
        release = releases.require_live(tx, "report")
        runs.accept_cron_run(tx, release, trigger=RunTrigger.MANUAL, scheduled_for=None, actor="ann", patience=60)
    _due(database, "60 s")
    assert _decide(database) == 0
    assert [tick.verdict for tick in _ticks(database)] == ["skipped_overlap"]


def test_a_pause_is_one_open_row_that_counts(database: Database) -> None:
    _app(database)
    with database.transaction() as tx:
        schedules.pause(tx, "report", "ann", "tax season")
    for ago in ("240 s", "120 s"):
        with database.transaction() as tx:
            tx.execute(update(CronStateRow).values(paused_at=NOW))
        _due(database, ago)
        _decide(database)
    (tick,) = _ticks(database)
    assert (tick.verdict, tick.reason, tick.open) == ("skipped_paused", "paused by ann: tax season", True)
    assert tick.how_many == 6
    with database.transaction() as tx:
        schedules.resume(tx, "report", "ann")
    assert [tick.open for tick in _ticks(database)] == [False]


def test_resume_never_makes_up(database: Database) -> None:
    _app(database)
    with database.transaction() as tx:
        schedules.pause(tx, "report", "ann", "")
    _due(database, "180 s")
    with database.transaction() as tx:
        schedules.resume(tx, "report", "ann")
    assert _decide(database) == 0


def test_an_edit_first_decides_what_was_due_under_the_old_schedule(database: Database) -> None:
    _app(database)
    _due(database, "60 s")
    with database.transaction() as tx:
        schedules.override(tx, "report", "0 0 1 1 *", None, "ann")
    assert [tick.verdict for tick in _ticks(database)] == ["fired"]
    assert _decide(database) == 0


def test_an_unchanged_every_keeps_its_anchor_over_deploys(database: Database) -> None:
    _app(database, schedule="'@every 90s'")
    with database.transaction() as tx:
        before = tx.scalar(select(CronStateRow.anchor))
        schedules.register(tx, "report", "@every 90s", "UTC", 1)
        assert tx.scalar(select(CronStateRow.anchor)) == before


def test_a_schedule_without_a_release_decides_nothing(database: Database) -> None:
    with database.transaction() as tx:
        factories.add_app(tx, factories.spec("report", "cron"))
        schedules.register(tx, "report", "* * * * *", "UTC", 1)
        assert tx.scalar(select(CronStateRow.next_due)) is None
    _due(database, "60 s")
    with database.transaction() as tx:
        tx.execute(update(AppRow).values(live_deployment=None))
    assert _decide(database) == 0
    assert _ticks(database) == []


def _say_deploy(database: Database, wanted: bool) -> None:
    """Sets `deploy` in the infraspec, and a release of it goes live."""
    with database.transaction() as tx:
        spec = tx.scalar(select(AppRow.spec)) | {"deploy": wanted}
        tx.execute(update(AppRow).values(spec=spec))
        schedules.awaken(tx, "report")


def test_a_schedule_that_is_off_decides_nothing_more(database: Database) -> None:
    _app(database)
    _due(database, "60 s")
    _say_deploy(database, wanted=False)
    assert [tick.verdict for tick in _ticks(database)] == ["fired"]
    with database.transaction() as tx:
        assert tx.scalar(select(CronStateRow.next_due)) is None
    assert _decide(database) == 0


def test_a_schedule_that_is_on_again_makes_up_for_nothing(database: Database) -> None:
    _app(database)
    _say_deploy(database, wanted=False)
    with database.transaction() as tx:
        tx.execute(update(CronStateRow).values(decided_until=text("clock_timestamp() - interval '1 h'")))
    _say_deploy(database, wanted=True)
    assert (_decide(database), _ticks(database)) == (0, [])
    _due(database, "60 s")
    assert _decide(database) == 1


def test_a_forge_of_the_same_schedule_turns_it_off_too(database: Database) -> None:
    _app(database)
    with database.transaction() as tx:
        tx.execute(update(AppRow).values(spec=tx.scalar(select(AppRow.spec)) | {"deploy": False}))
        schedules.register(tx, "report", "* * * * *", "UTC", 1)
        assert tx.scalar(select(CronStateRow.next_due)) is None


def _unread(database: Database) -> None:
    """Makes an accepted schedule invalid, as when a zone has been removed from the time zone database."""
    with database.transaction() as tx:
        tx.execute(update(CronStateRow).where(CronStateRow.app == "report").values(timezone="Mars/Base"))


def test_a_schedule_that_cannot_be_read_stops_only_itself(database: Database) -> None:
    _app(database)
    _app(database, "other")
    _unread(database)
    _due(database, "60 s")
    _due(database, "60 s", "other")
    assert _decide(database) == 1
    assert [tick.app for tick in _ticks(database)] == ["other"]
    with database.transaction() as tx:
        (alert,) = alerts.listed(tx, also_resolved=False, reach=None, cut=Cut()).items
    assert (alert.kind, alert.app) == ("schedule-unreadable", "report")
    assert alert.sentence == 'report is not scheduled: "Mars/Base" is not a time zone of the IANA database'


def test_a_schedule_that_can_be_read_again_is_told(database: Database) -> None:
    _app(database)
    _unread(database)
    _due(database, "60 s")
    _decide(database)
    with database.transaction() as tx:
        tx.execute(update(CronStateRow).values(timezone="UTC"))
        schedules.override(tx, "report", "* * * * *", None, "ann")
    cron_rules.look(database, 7.0)
    with database.transaction() as tx:
        assert alerts.listed(tx, also_resolved=False, reach=None, cut=Cut()).items == ()


def test_a_gap_that_cannot_be_counted_any_more_is_told_as_one_row(database: Database) -> None:
    _app(database, more="catchup=none")
    _due(database, "3 h")
    with database.transaction() as tx:
        deciding.decide(tx, deciding.due_rows(tx, 100), effective.clock(tx), "beat")
        tx.execute(update(CronGapRow).values(timezone="Mars/Base"))
    assert _decide(database) == 0
    (tick,) = [tick for tick in _ticks(database) if tick.verdict == "missed"]
    assert tick.reason.endswith(
        'how often it was due is not known: "Mars/Base" is not a time zone of the IANA database'
    )


def test_a_function_has_no_schedule_to_pause(database: Database) -> None:
    factories.add_live(database, "fn")
    with database.transaction() as tx, pytest.raises(WrongRole, match="fn is a function"):
        schedules.pause(tx, "fn", "ann", "")


def test_an_unforged_cron_app_has_no_schedule_yet(database: Database) -> None:
    with database.transaction() as tx:
        factories.add_app(tx, factories.spec("report", "cron"), forged=False)
        with pytest.raises(Conflict, match="no schedule yet"):
            schedules.pause(tx, "report", "ann", "")
