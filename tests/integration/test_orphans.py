"""Which containers are orphans: the label of their owner decides, and not the job that wrote last."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import text

from norn_tasks.domain.errors import Stopped
from norn_tasks.domain.jobs.call import Call
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.facts import Facts, OrphanedContainers, RemovedOrphans
from norn_tasks.domain.jobs.job import Fence, JobClass, JobKind, JobState
from norn_tasks.domain.jobs.requests import ObserveJobRequest
from norn_tasks.domain.jobs.writes import ContainersSeen, EngineLook
from norn_tasks.ports import Run, Tools
from norn_tasks.steps.observation import RemoveOrphans
from norn_tasks.steps.step import StepContext
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.releases import releases
from norn_tasks.store.replicas.observations import containers_seen
from norn_tasks.store.runs import runs
from tests import factories
from tests.fakes.engine import FakeContainer
from tests.fakes.runtime import FakeRuntime
from tests.fakes.stop import FakeWatch

OLD = 3600.0
RUN = Run("norn-x-1", "fn", "execution:1", "sha256:1", None, {}, timeout=60, memory=2**20, cpus=1)


def _orphans(database: Database, owner: str, age: float = OLD) -> list[str]:
    """Returns the orphans that an observation finds if it sees one container of this owner."""
    with database.transaction() as tx:
        look = factories.add_job(tx, JobKind.OBSERVE, app="")
        row = tx.execute(text("SELECT * FROM jobs WHERE id = :id"), {"id": look}).mappings().one()
        learned = containers_seen(tx, row, ContainersSeen((EngineLook(factories.ENGINE, (("c1", owner, age),)),)))
    return [container for _, container in Facts(learned).require(OrphanedContainers).orphaned]


def _replica(database: Database) -> None:
    """Makes a replica whose deploy has ended long ago."""
    with database.transaction() as tx:
        factories.add_job(tx, JobKind.DEPLOY, app="site")
    Ledger(database, patience=0).finish(factories.claim(database).fence, JobState.SUCCEEDED)
    factories.add_live(database, "site", "webserver")
    with database.transaction() as tx:
        tx.execute(
            text("""INSERT INTO replicas(container, app, release, generation, state, token)
                    VALUES ('c1', 'site', 1, 1, 'live', 1)""")
        )


def _call(database: Database) -> int:
    factories.add_live(database, "fn")
    with database.transaction() as tx:
        return runs.accept_call(
            tx, releases.require_live(tx, "fn"), Call(), sync=False, actor="test", patience=60
        ).execution


def test_a_replica_stays_when_the_job_that_made_it_has_ended(database: Database) -> None:
    _replica(database)
    assert _orphans(database, "release:site:1") == []


def test_a_replica_that_has_no_row_goes_once_it_could_have_one(database: Database) -> None:
    assert [_orphans(database, "release:site:1", age) for age in (5.0, OLD)] == [[], ["c1"]]


def test_a_run_stays_while_its_execution_lives_and_goes_when_that_has_ended(database: Database) -> None:
    execution = _call(database)
    living = _orphans(database, f"execution:{execution}")
    job = factories.claim(database, job_class=JobClass.INVOKE)
    Ledger(database, patience=0).finish(job.fence, JobState.CANCELLED)
    assert (living, _orphans(database, f"execution:{execution}")) == ([], ["c1"])


def test_what_another_database_knows_is_left_alone(database: Database) -> None:
    assert [_orphans(database, owner) for owner in ("execution:999", "app:site", "norn")] == [[], [], []]


# Removing them


def test_what_was_removed_is_known_though_the_look_after_it_finds_no_orphan(database: Database) -> None:
    runtime = FakeRuntime()
    runtime.containers["c1"] = FakeContainer("c1", RUN, fence=1, created=0.0)
    learned = RemoveOrphans().run(_context(runtime, FakeWatch()))
    assert learned is not None and Facts(learned.facts).require(RemovedOrphans).orphans_removed == 1
    assert runtime.containers == {}


def test_whoever_lost_its_lease_meanwhile_takes_nothing_away() -> None:
    runtime, watch = FakeRuntime(), FakeWatch()
    runtime.containers["c1"] = FakeContainer("c1", RUN, fence=1, created=0.0)
    watch.stop.set("lease_lost")
    with pytest.raises(Stopped):
        RemoveOrphans().run(_context(runtime, watch))
    assert len(runtime.containers) == 1


def _context(runtime: FakeRuntime, watch: FakeWatch) -> StepContext:
    """Returns the context of an observation that found the container c1 orphaned."""
    tools = cast(Tools, SimpleNamespace(engines={"docker": runtime.on}))
    found = OrphanedContainers(((runtime.on.id, "c1"),))
    job = Job(1, ObserveJobRequest(), "", None, Fence(1, 1), facts=Facts((found,)))
    return StepContext(job, tools, watch.watch, cast(Any, None))
