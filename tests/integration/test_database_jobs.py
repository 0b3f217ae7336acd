"""Jobs about the databases of apps: which are accepted, when backups are due, how many are kept, and the alerts of
backups.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import text

from norn_tasks import dispatch, sealing
from norn_tasks.adapters.vault import AgeVault
from norn_tasks.domain.errors import Conflict, LeaseLost, NoService, NotFound, StepFailed
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import Fence, JobKind, JobState, Problem
from norn_tasks.domain.services import Dump, Grant, ServiceKind, SnapshotReason
from norn_tasks.pipelines import PIPELINES
from norn_tasks.ports import Hooks, Tools
from norn_tasks.steps.step import Step, StepContext
from norn_tasks.store.alerts import alerts, backup_rules
from norn_tasks.store.apps import secrets, services, snapshots
from norn_tasks.store.database.pages import Cut
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.status import databases
from norn_tasks.store_adapters.service_records import ServiceRecordTable
from tests import factories
from tests.fakes.services import FakeServices
from tests.fakes.stop import FakeWatch

KEY = sealing.fresh_key()
BACKED_UP = 'services: {postgres: {database: shop_db, backup: {schedule: "@every 1h", keep: 2}}}\n'


class Plane:
    """A control plane with the app `shop`, whose database is in memory."""

    def __init__(self, database: Database, more: str) -> None:
        self.database, self.servers = database, FakeServices()
        self.intake = dispatch.Intake(**vars(factories.intake(database)))
        factories.add_live(database, "shop", "worker", more)
        public = sealing.recipient_of(KEY)
        with database.transaction() as tx:
            secrets.remember_recipient(tx, public)
            self._give(tx, "shop_db")
            secrets.put(tx, "shop", {"DATABASE_URL": sealing.seal("fake://x", public)}, actor="norn")

    def _give(self, tx: Any, name: str) -> None:
        grant = Grant(ServiceKind.POSTGRES, (name,))
        services.reserve(tx, "shop", (grant,))
        services.made(tx, "shop", grant)

    def play(self, fails: StepFailed | None = None) -> Job:
        """Runs the next job to its end. With `fails`, the app's database server refuses with this error, and the job
        fails.
        """
        job = factories.claim(self.database)
        ledger, self.servers.fails = Ledger(self.database, patience=1), fails
        try:
            for step in PIPELINES[job.kind](job):
                self.step(step, job)
            ledger.finish(job.fence, JobState.SUCCEEDED)
        except StepFailed as error:
            ledger.finish(job.fence, JobState.FAILED, Problem(error.code, error.sentence))
        return job

    def step(self, step: Step, job: Job) -> None:
        """Runs one step."""
        records = ServiceRecordTable(self.database)
        tools = SimpleNamespace(services=self.servers, records=records, vault=AgeVault(KEY, Path()), clusters={})
        watch = FakeWatch(job=job.fence.job, token=job.fence.token).watch
        step.run(StepContext(job, cast(Tools, tools), watch, cast(Hooks, None)))

    def snapshot(self, *, backup: bool = False) -> int:
        """Takes a snapshot; returns its number."""
        dispatch.request_snapshot(self.intake, "shop", backup=backup, actor="ann")
        self.play()
        return self.snapshots()[0][0]

    def snapshots(self) -> list[tuple[int, str]]:
        """Lists numbers and reasons of the snapshots, newest first."""
        with self.database.transaction() as tx:
            return [(each.id, str(each.reason)) for each in snapshots.listed(tx, None)]

    def open_jobs(self) -> list[str]:
        """Lists the kinds of the jobs that wait."""
        with self.database.transaction() as tx:
            return list(tx.scalars(text("SELECT kind FROM jobs WHERE state = 'queued' ORDER BY id")))

    def later(self, hours: int) -> None:
        """Simulates that this many hours have passed since the last backup and the last drill (trial restore)."""
        back = "UPDATE backup_plans SET (backup_at, drill_at) = (backup_at - :span, drill_at - :span)"
        with self.database.transaction() as tx:
            tx.execute(text(back), {"span": timedelta(hours=hours)})

    def due(self) -> list[str]:
        """Requests the due jobs; returns the kinds of all waiting jobs."""
        dispatch.request_due_backups(self.intake, actor="beat")
        return self.open_jobs()

    def alerts(self) -> list[str]:
        """Applies the rules of backups; returns the sentences of the open alerts."""
        backup_rules.look(self.database)
        with self.database.transaction() as tx:
            found = alerts.listed(tx, also_resolved=False, reach=None, cut=Cut(50))
        return [each.sentence for each in found.items]


@pytest.fixture
def plane(database: Database) -> Plane:
    """The app with a database that is backed up every hour."""
    return Plane(database, BACKED_UP)


def test_a_restore_first_saves_what_is_there_and_is_only_for_snapshots_of_the_app(plane: Plane) -> None:
    number = plane.snapshot()
    dispatch.request_restore(plane.intake, "shop", snapshot=number, actor="ann")
    job = plane.play()
    assert [reason for _, reason in plane.snapshots()] == ["restore", "manual"]
    assert plane.servers.restored == {job.id: number}
    with pytest.raises(NotFound, match="shop has no snapshot 4711"):
        dispatch.request_restore(plane.intake, "shop", snapshot=4711, actor="ann")


def test_a_snapshot_of_a_database_that_the_app_no_longer_has_is_not_restored(plane: Plane) -> None:
    number = plane.snapshot()
    with plane.database.transaction() as tx:
        tx.execute(text("UPDATE service_parts SET name = 'other_db'"))
    with pytest.raises(Conflict, match="shop no longer has the database shop_db"):
        dispatch.request_restore(plane.intake, "shop", snapshot=number, actor="ann")


def test_a_snapshot_that_never_became_whole_is_not_restored(plane: Plane) -> None:
    with plane.database.transaction() as tx:
        job = factories.add_job(tx, JobKind.SNAPSHOT, "shop")
        begun = snapshots.reserve(tx, "shop", "shop_db", SnapshotReason.MANUAL, Fence(job, 1))
    with pytest.raises(Conflict, match=f"snapshot {begun.id} of shop is not complete"):
        dispatch.request_restore(plane.intake, "shop", snapshot=begun.id, actor="ann")


def test_a_worker_that_lost_its_restore_restores_nothing(plane: Plane) -> None:
    number = plane.snapshot()
    dispatch.request_restore(plane.intake, "shop", snapshot=number, actor="ann")
    job = factories.claim(plane.database)
    with plane.database.transaction() as tx:
        tx.execute(text("UPDATE jobs SET lease_token = lease_token + 1 WHERE id = :job"), {"job": job.id})
    with pytest.raises(LeaseLost):
        plane.step(next(step for step in PIPELINES[job.kind](job) if step.name == "restore-database"), job)
    assert plane.servers.restored == {}


def test_an_app_without_a_database_has_no_snapshots(database: Database) -> None:
    factories.add_live(database, "blog", "worker")
    intake = factories.intake(database)
    for request in (dispatch.request_snapshot, dispatch.request_drill):
        with pytest.raises((Conflict, NoService), match=r"no database for blog|blog has no backup"):
            request(intake, "blog", actor="ann")


def test_only_the_newest_backups_stay_and_they_push_out_no_other_snapshot(plane: Plane) -> None:
    manual = plane.snapshot()
    numbers = [plane.snapshot(backup=True) for _ in range(3)]
    assert plane.snapshots() == [(numbers[2], "backup"), (numbers[1], "backup"), (manual, "manual")]
    assert set(plane.servers.dumps) == {f"shop-{manual}.dump", *(f"shop-{n}.backup" for n in numbers[1:])}


def test_a_backup_is_due_by_its_schedule_once_and_a_drill_as_soon_as_there_is_a_backup(plane: Plane) -> None:
    assert plane.due() == []
    plane.later(5)
    assert (plane.due(), plane.due()) == (["snapshot"], ["snapshot"])
    plane.play()
    assert plane.due() == ["drill"]
    plane.play()
    assert plane.due() == []
    plane.later(24 * 8)
    assert plane.due() == ["snapshot", "drill"]


def test_a_backup_that_waits_is_not_requested_twice(plane: Plane) -> None:
    plane.due()
    for _ in range(2):
        plane.later(2)
        plane.due()
    assert plane.open_jobs() == ["snapshot"]


def test_an_app_whose_infraspec_has_no_backup_is_not_backed_up(database: Database) -> None:
    plane = Plane(database, "services: {postgres: {database: shop_db}}\n")
    plane.due()
    plane.later(500)
    assert plane.due() == []


def test_a_backup_that_fails_is_an_alert_until_one_succeeds(plane: Plane) -> None:
    dispatch.request_snapshot(plane.intake, "shop", backup=True, actor="ann")
    plane.due()
    with plane.database.transaction() as tx:
        job = tx.scalar(text("SELECT max(id) FROM jobs"))
    ledger, claimed = Ledger(plane.database, patience=1), factories.claim(plane.database)
    ledger.finish(claimed.fence, JobState.FAILED, Problem("step_failed", "No space left on device"))
    said = "the last backup of shop failed: No space left on device"
    assert (claimed.id, plane.alerts(), plane.alerts()) == (job, [said], [said])
    plane.snapshot(backup=True)
    assert plane.alerts() == []


def test_a_drill_that_fails_is_an_alert_until_one_succeeds(plane: Plane) -> None:
    plane.due()
    plane.snapshot(backup=True)
    for broken in (StepFailed("shop-1.backup is broken"), None):
        dispatch.request_drill(plane.intake, "shop", actor="ann")
        plane.play(broken)
        expected = ["the drill of the newest backup of shop failed: shop-1.backup is broken"] if broken else []
        assert plane.alerts() == expected


def test_the_alert_ends_when_the_infraspec_no_longer_asks_for_backups(plane: Plane) -> None:
    plane.due()
    plane.snapshot(backup=True)
    dispatch.request_drill(plane.intake, "shop", actor="ann")
    plane.play(StepFailed("broken"))
    assert len(plane.alerts()) == 1
    with plane.database.transaction() as tx:
        tx.execute(text("UPDATE apps SET written = written #- '{services,postgres,backup}'"))
    plane.due()
    assert plane.alerts() == []


def test_databases_are_listed_with_what_was_seen_and_saved(plane: Plane) -> None:
    plane.due()
    number = plane.snapshot(backup=True)
    dispatch.request_drill(plane.intake, "shop", actor="ann")
    plane.play()
    with plane.database.transaction() as tx:
        services.seen(tx, plane.servers.databases(("shop_db",), FakeWatch().stop))
        (found,) = databases.listed(tx, None)
        (taken,) = (each for each in snapshots.listed(tx, None) if each.id == number)
    assert (found.name, found.bytes, found.connections, found.schedule) == ("shop_db", 8_000_000, 2, "@every 1h")
    assert (found.last_backup, found.drilled_at) == (taken.at, taken.drilled_at)
    assert found.next_backup is not None and found.next_backup > taken.at
    assert (taken.rows, taken.bytes) == (3, Dump(1024, {}).bytes)
