"""Shared services of apps as rows and secrets: owners, passwords, teardown, and a job that is resumed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import text

from norn_tasks import dispatch, sealing
from norn_tasks.adapters.vault import AgeVault
from norn_tasks.domain.errors import Conflict, LeaseLost, ServiceDown, ServiceTaken, StepFailed, Stopped
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import Fence, JobKind
from norn_tasks.domain.jobs.step import Learned, Resume
from norn_tasks.domain.secret import Secret
from norn_tasks.domain.services import Grant, ServiceKind, to_database
from norn_tasks.ports import Hooks, Tools
from norn_tasks.steps.services import (
    DeleteServices,
    MigrateDatabase,
    ProvisionServices,
    PruneSnapshots,
    SnapshotDatabase,
)
from norn_tasks.steps.step import Step, StepContext
from norn_tasks.store.apps import secrets, services, snapshots
from norn_tasks.store.database.session import Database
from norn_tasks.store.upkeep import after_restore
from norn_tasks.store_adapters.service_records import ServiceRecordTable
from tests import factories
from tests.fakes.services import FakeServices
from tests.fakes.stop import FakeWatch

KEY = sealing.fresh_key()
DATABASE = "services: {postgres: {database: shop_db}}\n"
BUCKET = "services: {storage: {bucket: shop-files}}\n"
TOPICS = "services: {events: {topics: [orders, bills]}}\n"


class Plane:
    """A control plane; the servers that apps share (such as PostgreSQL) are fakes in memory."""

    def __init__(self, database: Database) -> None:
        self.database, self.services = database, FakeServices()
        with database.transaction() as tx:
            secrets.remember_recipient(tx, sealing.recipient_of(KEY))

    def job(self, app: str, more: str, kind: JobKind = JobKind.FORGE, **args: Any) -> Job:
        """Claims a job of an app."""
        with self.database.transaction() as tx:
            tx.execute(text("UPDATE jobs SET state = 'succeeded'"))
            factories.add_job(tx, kind, app, args, spec=factories.spec(app, "worker", more).frozen())
        return factories.claim(self.database)

    def run(self, step: Step, job: Job) -> Learned:
        """Runs a step of the job."""
        return step.run(self.context(job)) or Learned()

    def context(self, job: Job) -> StepContext:
        """Returns the context of the job's steps."""
        records = ServiceRecordTable(self.database)
        tools = SimpleNamespace(services=self.services, records=records, vault=AgeVault(KEY, Path()), clusters={})
        watch = FakeWatch(job=job.fence.job, token=job.fence.token).watch
        return StepContext(job, cast(Tools, tools), watch, cast(Hooks, None))

    def password(self, app: str, name: str) -> str:
        """Returns the credential that containers of the app get as the secret `name`; empty if they get none."""
        with self.database.transaction() as tx:
            sealed = {each.name: each for each in secrets.sealed_of(tx, app) if each.current}
        return AgeVault(KEY, Path()).open(sealed[name]).reveal() if name in sealed else ""

    def parts(self) -> list[tuple[str, str, bool]]:
        """Lists the databases, key spaces and topics of apps: the app, the name, and whether the part is made on its
        server.
        """
        with self.database.transaction() as tx:
            return [(part.app, part.name, part.made) for part in services.listed(tx, None)]


@pytest.fixture
def plane(database: Database) -> Plane:
    """A control plane with a key for secrets."""
    return Plane(database)


def test_a_forge_gives_what_the_spec_names_and_a_second_one_changes_nothing(plane: Plane) -> None:
    first = plane.run(ProvisionServices(), plane.job("shop", DATABASE))
    second = plane.run(ProvisionServices(), plane.job("shop", DATABASE))
    assert (first.note, [each.name for each in first.sealed or ()]) == ("database shop_db", ["DATABASE_URL"])
    assert (second.note, second.sealed) == ("database shop_db", None)
    assert plane.parts() == [("shop", "shop_db", True)]
    assert plane.password("shop", "DATABASE_URL") == plane.services.credentials["shop", ServiceKind.POSTGRES]


def test_a_database_belongs_to_the_app_that_forged_it_first(plane: Plane) -> None:
    plane.run(ProvisionServices(), plane.job("shop", DATABASE))
    with pytest.raises(ServiceTaken, match="shop_db belongs to shop"):
        plane.run(ProvisionServices(), plane.job("thief", DATABASE))
    assert ("thief", ServiceKind.POSTGRES) not in plane.services.made


def test_topics_are_shared_and_outlive_the_first_of_their_apps(plane: Plane) -> None:
    for app in ("shop", "bank"):
        plane.run(ProvisionServices(), plane.job(app, TOPICS))
    plane.run(DeleteServices(), plane.job("shop", TOPICS, JobKind.TEARDOWN, purge=True))
    assert plane.services.made["shop", ServiceKind.EVENTS] == {"orders", "bills"}
    assert [app for app, *_ in plane.parts()] == ["bank", "bank"]


def test_a_topic_that_a_purge_removes_is_taken_by_another_app_only_after_it(plane: Plane) -> None:
    records, wanted = ServiceRecordTable(plane.database), Grant(ServiceKind.EVENTS, ("orders", "bills"))
    plane.run(ProvisionServices(), plane.job("shop", TOPICS))
    purge = plane.job("shop", TOPICS, JobKind.TEARDOWN, purge=True)
    assert records.leave("shop", ServiceKind.EVENTS, purge.fence) == ("bills", "orders")
    with plane.database.transaction() as tx, pytest.raises(ServiceDown, match="orders is being removed with shop"):
        services.reserve(tx, "bank", (wanted,))
    plane.run(DeleteServices(), purge)
    plane.run(ProvisionServices(), plane.job("bank", TOPICS))
    assert plane.parts() == [("bank", "bills", True), ("bank", "orders", True)]


def test_a_purge_that_did_not_end_keeps_no_topic_from_its_own_app(plane: Plane) -> None:
    records, wanted = ServiceRecordTable(plane.database), Grant(ServiceKind.EVENTS, ("orders",))
    plane.run(ProvisionServices(), plane.job("shop", TOPICS))
    records.leave("shop", ServiceKind.EVENTS, plane.job("shop", TOPICS, JobKind.TEARDOWN, purge=True).fence)
    plane.run(ProvisionServices(), plane.job("shop", TOPICS))
    with plane.database.transaction() as tx:
        services.reserve(tx, "bank", (wanted,))


def test_of_two_purges_at_once_the_second_removes_the_topic(plane: Plane) -> None:
    records = ServiceRecordTable(plane.database)
    for app in ("shop", "bank"):
        plane.run(ProvisionServices(), plane.job(app, TOPICS))
    shop = plane.job("shop", TOPICS, JobKind.TEARDOWN, purge=True)
    assert records.leave("shop", ServiceKind.EVENTS, shop.fence) == ()
    bank = plane.job("bank", TOPICS, JobKind.TEARDOWN, purge=True)
    assert records.leave("bank", ServiceKind.EVENTS, bank.fence) == ("bills", "orders")


class Killed(BaseException):
    """Simulates the death of the worker."""


def renewed(plane: Plane, fails: BaseException | None) -> tuple[str, str]:
    """Tries to give an app new passwords, and expects an error: the server raises `fails`, or (None) does not respond.
    Returns the credential that containers get, before and after.
    """
    plane.run(ProvisionServices(), plane.job("shop", DATABASE))
    before = plane.password("shop", "DATABASE_URL")
    plane.services.fails, plane.services.away = fails, fails is None
    with pytest.raises(ServiceDown if fails is None else type(fails)):
        plane.run(ProvisionServices(fresh=True), plane.job("shop", DATABASE, JobKind.RESTART))
    plane.services.fails, plane.services.away = None, False
    return before, plane.password("shop", "DATABASE_URL")


def test_new_passwords_are_kept_before_a_server_knows_them(plane: Plane) -> None:
    before, kept = renewed(plane, Killed())
    plane.run(ProvisionServices(), plane.job("shop", DATABASE))
    assert before != kept == plane.services.credentials["shop", ServiceKind.POSTGRES]


@pytest.mark.parametrize("fails", [None, StepFailed("no right to make roles"), ServiceDown("it went away")])
def test_new_passwords_that_no_server_took_are_not_given_to_containers(plane: Plane, fails: Exception | None) -> None:
    before, kept = renewed(plane, fails)
    assert before == kept == plane.services.credentials["shop", ServiceKind.POSTGRES]


def test_a_server_that_was_asked_when_the_job_stopped_gets_the_new_password_all_the_same(plane: Plane) -> None:
    before, kept = renewed(plane, Stopped("cancelled", reason="cancelled"))
    assert before != kept


def test_a_second_try_of_a_job_gives_the_same_new_password(plane: Plane) -> None:
    step, job = ProvisionServices(fresh=True), plane.job("shop", DATABASE)
    plane.services.fails = ServiceDown("it went away")
    with pytest.raises(ServiceDown):
        plane.run(step, job)
    plane.services.fails = None
    plane.run(step, job)
    assert plane.services.passwords == 1
    assert plane.password("shop", "DATABASE_URL") == plane.services.credentials["shop", ServiceKind.POSTGRES]


def test_a_deploy_takes_no_right_from_the_release_that_is_live(plane: Plane) -> None:
    plane.run(ProvisionServices(), plane.job("shop", TOPICS))
    plane.run(ProvisionServices(), plane.job("shop", TOPICS.replace("bills", "mails"), JobKind.DEPLOY))
    assert plane.services.granted["shop", ServiceKind.EVENTS] == ("bills", "mails", "orders")


def test_a_container_gets_the_database_of_its_own_spec(plane: Plane) -> None:
    plane.run(ProvisionServices(), plane.job("shop", DATABASE))
    before = plane.password("shop", "DATABASE_URL")
    plane.run(ProvisionServices(), plane.job("shop", DATABASE.replace("shop_db", "other_db"), JobKind.DEPLOY))
    of_live = plane.context(plane.job("shop", DATABASE, JobKind.RESTART)).secrets()
    assert plane.password("shop", "DATABASE_URL").endswith("/other_db")
    assert of_live["DATABASE_URL"].reveal() == before


def test_a_container_gets_the_variables_of_the_bucket_of_its_own_spec(plane: Plane) -> None:
    plane.run(ProvisionServices(), plane.job("shop", BUCKET))
    url = plane.password("shop", "S3_URL")
    plane.run(ProvisionServices(), plane.job("shop", BUCKET.replace("shop-files", "shop-others"), JobKind.DEPLOY))
    given = plane.context(plane.job("shop", BUCKET, JobKind.RESTART)).secrets()
    assert {name: value.reveal() for name, value in given.items()} == {
        "S3_URL": url, "S3_ENDPOINT": "fake://norn-services:1", "S3_BUCKET": "shop-files", "S3_REGION": "us-east-1",
        "S3_ACCESS_KEY_ID": "norn-fake01-shop-storage", "S3_SECRET_ACCESS_KEY": "password-number-1",
    }  # fmt: skip
    assert plane.services.granted["shop", ServiceKind.STORAGE] == ("shop-files", "shop-others")


def test_a_url_that_is_no_credential_of_the_app_stays_as_it_is() -> None:
    for url in ("mine-alone", "postgresql://shop:hunter22@db/mine", "postgresql://[::1"):
        assert to_database(Secret(url), "shop", "shop_db").reveal() == url


def test_teardown_keeps_and_purge_removes(plane: Plane) -> None:
    plane.run(ProvisionServices(), plane.job("shop", DATABASE))
    kept = plane.run(DeleteServices(), plane.job("shop", DATABASE, JobKind.TEARDOWN))
    assert (kept.note, len(plane.parts())) == ("kept: database shop_db; --purge removes them", 1)
    gone = plane.run(DeleteServices(), plane.job("shop", DATABASE, JobKind.TEARDOWN, purge=True))
    assert (gone.note, plane.parts()) == ("removed: database shop_db", [])
    assert (plane.services.made["shop", ServiceKind.POSTGRES], plane.password("shop", "DATABASE_URL")) == (set(), "")


def test_what_a_spec_names_no_longer_is_kept_and_removed_by_a_purge(plane: Plane) -> None:
    plane.run(ProvisionServices(), plane.job("shop", DATABASE))
    plane.run(ProvisionServices(), plane.job("shop", DATABASE.replace("shop_db", "other_db")))
    assert [name for _, name, _ in plane.parts()] == ["other_db", "shop_db"]
    plane.run(DeleteServices(), plane.job("shop", DATABASE, JobKind.TEARDOWN, purge=True))
    assert plane.services.made["shop", ServiceKind.POSTGRES] == set()


def test_a_worker_that_lost_its_job_reserves_nothing(plane: Plane) -> None:
    job = plane.job("shop", DATABASE)
    records, grant = ServiceRecordTable(plane.database), Grant(ServiceKind.POSTGRES, ("shop_db",))
    with pytest.raises(LeaseLost):
        records.reserve("shop", (grant,), Fence(job.id, job.fence.token - 1))
    assert plane.parts() == []


CHANGES: list[Callable[[Any], object]] = [
    lambda tx: dispatch.set_secrets(tx, None, "shop", {"DATABASE_URL": Secret("mine-alone")}, actor="joe"),
    lambda tx: dispatch.unset_secret(tx, None, "shop", "DATABASE_URL", actor="joe"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_people_do_not_change_a_credential(plane: Plane, change: Callable[[Any], object]) -> None:
    factories.add_live(plane.database, "shop", "worker", DATABASE)
    refused = pytest.raises(Conflict, match="DATABASE_URL of shop is set by services")
    with refused, plane.database.transaction() as tx:
        change(tx)


# Snapshots and migrations

MIGRATES = DATABASE + "migrations: {command: migrate}\nartifacts: {retain: 2}\n"


def test_a_job_that_is_taken_over_goes_on_with_its_snapshot(plane: Plane) -> None:
    job = plane.job("shop", MIGRATES, JobKind.DEPLOY)
    plane.services.away = True
    with pytest.raises(ConnectionError):
        plane.run(SnapshotDatabase(), job)
    plane.services.away = False
    assert plane.run(SnapshotDatabase(), job).note == "snapshot 1 of shop_db, 1,024 bytes, 3 rows"
    assert plane.services.dumps == {"shop-1.dump": "shop_db"}


def test_snapshots_are_pruned_with_the_releases_and_removed_by_a_purge(plane: Plane) -> None:
    for _ in range(4):
        job = plane.job("shop", MIGRATES, JobKind.DEPLOY)
        plane.run(SnapshotDatabase(), job)
        plane.run(PruneSnapshots(), job)
    assert sorted(plane.services.dumps) == ["shop-3.dump", "shop-4.dump"]
    gone = plane.run(DeleteServices(), plane.job("shop", MIGRATES, JobKind.TEARDOWN, purge=True))
    assert (gone.note, plane.services.dumps) == ("removed: 2 snapshots", {})


def test_a_snapshot_on_another_machine_is_left_to_that_and_named(plane: Plane) -> None:
    for _ in range(3):
        job = plane.job("shop", MIGRATES, JobKind.DEPLOY)
        plane.run(SnapshotDatabase(), job)
    there, plane.services.dumps = plane.services.dumps, {}
    assert plane.run(PruneSnapshots(), job).note == "not on this machine: shop-1.dump"
    plane.services.dumps = there
    assert plane.run(PruneSnapshots(), job).note == "1 removed"
    del there["shop-2.dump"]
    gone = plane.run(DeleteServices(), plane.job("shop", MIGRATES, JobKind.TEARDOWN, purge=True))
    assert gone.note == "removed: 1 snapshot; not on this machine: shop-2.dump"


def test_snapshots_that_never_became_whole_push_out_none_that_is(plane: Plane) -> None:
    def take(*, fails: bool = False) -> Job:
        job, plane.services.away = plane.job("shop", MIGRATES, JobKind.DEPLOY), fails
        with pytest.raises(ConnectionError) if fails else nullcontext():
            plane.run(SnapshotDatabase(), job)
        return job

    take(), take(), take(fails=True), take(fails=True), take()
    plane.run(PruneSnapshots(), take(fails=True))
    assert sorted(plane.services.dumps) == ["shop-2.dump", "shop-5.dump"]
    with plane.database.transaction() as tx:
        assert [each.id for each in snapshots.listed(tx, None)] == [6, 5, 2]


def test_a_restored_backup_gives_no_snapshot_the_file_of_a_later_one(plane: Plane) -> None:
    plane.run(SnapshotDatabase(), plane.job("shop", MIGRATES, JobKind.DEPLOY))
    with plane.database.transaction() as tx:
        after_restore.settle(tx)
    plane.run(SnapshotDatabase(), plane.job("shop", MIGRATES, JobKind.DEPLOY))
    assert sorted(plane.services.dumps) == ["shop-1.dump", f"shop-{after_restore.LEAP + 2}.dump"]


@pytest.mark.parametrize(("more", "resume"), [("", Resume.NEVER), (", idempotent: true", Resume.KEEP)])
def test_a_migration_is_repeated_only_if_the_spec_says_that_it_may_be(more: str, resume: Resume) -> None:
    spec = factories.spec("shop", "worker", f"migrations: {{command: migrate{more}}}\n")
    assert MigrateDatabase().resumes(spec) is resume
