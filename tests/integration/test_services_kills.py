"""A worker that dies at any point while it makes, renews or purges services: the next one ends the work.

The servers are in memory and the rows are real. Each case lets the worker die before or after one of its calls, and
another worker claims the job.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import update

from norn_tasks import sealing
from norn_tasks.adapters.vault import AgeVault
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.domain.services import ServiceKind
from norn_tasks.ports import Hooks, Tools
from norn_tasks.steps.services import DeleteServices, ProvisionServices
from norn_tasks.steps.step import Step, StepContext
from norn_tasks.store.apps import secrets, services
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.tables import JobRow
from norn_tasks.store_adapters.service_records import ServiceRecordTable
from tests import factories
from tests.fakes.services import FakeServices
from tests.fakes.stop import FakeWatch

KEY = sealing.fresh_key()
VAULT = AgeVault(KEY, Path("/nonexistent"))
READS = ("of_app", "snapshots_of", "credential", "require")
"""Calls that change nothing: a death at one of them equals a death at the next change."""


class Killed(BaseException):
    """Simulates the death of the worker."""


class Mortal:
    """Passes calls on, and simulates the worker's death before or after the n-th change."""

    def __init__(self, inner: object, countdown: list[int], after: bool) -> None:
        self._inner, self._countdown, self._after = inner, countdown, after

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self._inner, name)
        return call if name in READS else lambda *args, **more: self._called(call, *args, **more)

    def _called(self, call: Callable[..., Any], *args: Any, **more: Any) -> Any:
        self._countdown[0] -= 1
        if self._countdown[0] == 0 and not self._after:
            raise Killed
        result = call(*args, **more)
        if self._countdown[0] == 0:
            raise Killed
        return result


def database_of(app: str) -> str:
    """Returns the name of an app's database."""
    return f"{app.replace('-', '_')}_db"


class Plane:
    """A control plane whose apps each have a database, a namespace, two topics and a bucket."""

    def __init__(self, database: Database) -> None:
        self.database, self.servers = database, FakeServices()
        self.records = ServiceRecordTable(database)
        with database.transaction() as tx:
            secrets.remember_recipient(tx, sealing.recipient_of(KEY))

    def accept(self, app: str, kind: JobKind, **args: Any) -> Job:
        """Accepts and claims a job of the app."""
        named = (
            f"postgres: {{database: {database_of(app)}}}, kv: {{namespace: {app}}}, events: {{topics: [{app}.a, b]}},"
            f" storage: {{bucket: {app}-files}}"
        )
        with self.database.transaction() as tx:
            tx.execute(update(JobRow).values(state="succeeded"))
            factories.add_job(
                tx, kind, app, args, spec=factories.spec(app, "worker", f"services: {{{named}}}\n").frozen()
            )
        return factories.claim(self.database)

    def run(self, step: Step, job: Job, records: object = None, servers: object = None) -> None:
        """Runs a step of the job, as the runner does."""
        tools = SimpleNamespace(
            services=servers or self.servers, records=records or self.records, vault=VAULT, clusters={}
        )
        watch = FakeWatch(job=job.fence.job, token=job.fence.token).watch
        step.run(StepContext(job, cast(Tools, tools), watch, cast(Hooks, None)))

    def killed(self, step: Callable[[], Step], job: Job, n: int, *, after: bool) -> bool:
        """Runs the step with a worker that dies at the n-th change. If it dies, another worker runs the step to its
        end. Returns whether the first one died.
        """
        countdown = [n]
        try:
            self.run(step(), job, Mortal(self.records, countdown, after), Mortal(self.servers, countdown, after))
        except Killed:
            Ledger(self.database, patience=1).hand_back(job.fence, adopt=False)
            self.run(step(), factories.claim(self.database, "w2"))
            return True
        return False

    def kept(self, app: str) -> dict[str, str]:
        """Returns the credentials that containers of the app get."""
        with self.database.transaction() as tx:
            return {each.name: VAULT.open(each).reveal() for each in secrets.sealed_of(tx, app) if each.current}

    def parts(self, app: str) -> list[tuple[str, bool]]:
        """Lists the parts of the app, and whether they are made."""
        with self.database.transaction() as tx:
            return [(part.name, part.made) for part in services.of_app(tx, app)]

    def require_whole(self, app: str) -> None:
        """Fails unless the app has all of its parts, and the servers know the credentials that its containers get."""
        assert sorted(self.parts(app)) == sorted(
            (name, True) for name in (f"{app}.a", "b", app, f"{app}-files", database_of(app))
        )
        known = {kind.variable: self.servers.credentials[app, kind] for kind in ServiceKind}
        assert self.kept(app) == known


@pytest.fixture
def plane(database: Database) -> Plane:
    """A control plane with a key for secrets."""
    return Plane(database)


def deaths(work: Callable[[str, int, bool], bool]) -> int:
    """Calls `work` for one app after another, first with deaths before a change, then with deaths after it. Each worker
    dies one change later than the one before, until a worker ends the work before its death; returns the number of
    deaths.
    """
    count = 0
    for after in (False, True):
        n = 1
        while work(f"app-{n}-{'after' if after else 'before'}", n, after):
            n, count = n + 1, count + 1
    return count


def test_a_worker_that_dies_while_it_makes_services_leaves_all_to_the_next(plane: Plane) -> None:
    def work(app: str, n: int, after: bool) -> bool:
        died = plane.killed(ProvisionServices, plane.accept(app, JobKind.FORGE), n, after=after)
        plane.require_whole(app)
        return died

    assert deaths(work) >= 16


def test_a_worker_that_dies_while_it_renews_passwords_leaves_valid_ones(plane: Plane) -> None:
    def work(app: str, n: int, after: bool) -> bool:
        plane.run(ProvisionServices(), plane.accept(app, JobKind.FORGE))
        before = plane.kept(app)
        job = plane.accept(app, JobKind.RESTART, rotate=True)
        died = plane.killed(lambda: ProvisionServices(fresh=True), job, n, after=after)
        plane.require_whole(app)
        assert not before.items() & plane.kept(app).items()
        return died

    assert deaths(work) >= 16


def test_a_worker_that_dies_while_it_purges_leaves_nothing_to_nobody(plane: Plane) -> None:
    def work(app: str, n: int, after: bool) -> bool:
        for each in (app, "other"):
            plane.run(ProvisionServices(), plane.accept(each, JobKind.FORGE))
        died = plane.killed(DeleteServices, plane.accept(app, JobKind.TEARDOWN, purge=True), n, after=after)
        assert (plane.parts(app), plane.kept(app)) == ([], {})
        assert [plane.servers.made[app, kind] for kind in ServiceKind] == [set(), set(), {"b"}, set()]
        plane.require_whole("other")
        return died

    assert deaths(work) >= 14
