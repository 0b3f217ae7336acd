"""A step that must not be repeated: if its job is stopped in the middle of the step, for whatever reason, the step runs
again only after a user has allowed it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import select, update

from norn_tasks import dispatch
from norn_tasks.domain.errors import Conflict, NotFound, StepFailed, Stopped
from norn_tasks.domain.jobs.facts import SourceRevision
from norn_tasks.domain.jobs.job import JobKind, JobState
from norn_tasks.domain.jobs.step import MIGRATE_DATABASE, Learned, Resolution, Resume
from norn_tasks.pipelines.runner import Runner
from norn_tasks.ports import Limits, Tools
from norn_tasks.steps.step import Step, StepContext
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.queue.attention import NeedsAttention
from norn_tasks.store.queue.sweeper import sweep
from norn_tasks.store.tables import DeploymentRow, JobRow, ReleaseRow, StepRow
from norn_tasks.worker.leases import JobStop
from norn_tasks.worker.output import StepOutput
from tests import factories

REPO = "repo:\n  url: https://git.example.com/blog\n"


class Killed(BaseException):
    """Simulates the death of the worker: nothing more is written."""


class Build(Step):
    """A step before the one that must not be repeated."""

    name = "build-image"

    def __init__(self, world: World) -> None:
        self._world = world

    def run(self, context: StepContext) -> Learned | None:
        self._world.built += 1
        return Learned(facts=(SourceRevision("red"),))


class Migrate(Step):
    """A step that must not be repeated."""

    name = MIGRATE_DATABASE
    resume = Resume.NEVER

    def __init__(self, world: World) -> None:
        self._world = world

    def run(self, context: StepContext) -> Learned | None:
        self._world.migrated.append(context.job.facts.require(SourceRevision).revision)
        self._world.inside(self._world.stop)
        return None


class Tidy(Step):
    """A step that runs also after a failure."""

    name = "discard-source"
    always = True

    def __init__(self, world: World) -> None:
        self._world = world

    def run(self, context: StepContext) -> Learned | None:
        self._world.tidying()
        return None


@dataclass
class World:
    """An app with a live release, its deploys, and a record of the actions of their steps."""

    database: Database
    workspace: Path
    intake: dispatch.Intake
    built: int = 0
    migrated: list[str] = field(default_factory=list)
    inside: Callable[[JobStop], None] = lambda _: None
    tidying: Callable[[], None] = lambda: None
    stop: JobStop = field(default_factory=JobStop)

    def deploy(self) -> int:
        return dispatch.request_deploy(self.intake, "blog", actor="ann").job

    def play(self, inside: Callable[[JobStop], None] = lambda _: None) -> JobState | None:
        """Lets a worker claim and run the next job; `inside` is called in the step that must not be repeated."""
        self.inside, self.stop = inside, JobStop()
        limits = Limits(1, 1, 1, engine_patience=0.0, workspace=self.workspace, instance="t")
        pipelines = {JobKind.DEPLOY: lambda _: (Build(self), Migrate(self), Tidy(self))}
        tools = cast(Tools, type("NoTools", (), {"limits": limits}))
        runner = Runner(Ledger(self.database, patience=1), tools, StepOutput(self.database), pipelines=pipelines)
        return runner.run(factories.claim(self.database), self.stop)

    def killed(self) -> None:
        """Lets a worker die inside the step, and its lease expire."""

        def die(_: JobStop) -> None:
            raise Killed

        self.dies(die)

    def dies(self, inside: Callable[[JobStop], None]) -> None:
        """Lets a worker run the next job until `inside` kills the worker; then lets its lease expire."""
        with pytest.raises(Killed):
            self.play(inside)
        with self.database.transaction() as tx:
            tx.execute(update(JobRow).where(JobRow.state == "running").values(lease_until=factories.LONG_AGO))

    def row(self, table: Any, number: int) -> Any:
        with self.database.transaction() as tx:
            return tx.execute(select(table).where(table.id == number)).one()

    def job(self, number: int) -> Any:
        return self.row(JobRow, number)

    def deployment(self, job: int) -> Any:
        return self.row(DeploymentRow, self.job(job).deployment)

    def steps(self, job: int) -> dict[str, str]:
        with self.database.transaction() as tx:
            return {row.name: row.state for row in tx.execute(select(StepRow).where(StepRow.job_id == job))}


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    factories.add_live(database, "blog", "webserver", REPO)
    return World(database, tmp_path, factories.intake(database))


def drained(stop: JobStop) -> None:
    stop.set("draining")
    raise Stopped("draining", reason="draining")


def cancelled(stop: JobStop) -> None:
    stop.set("cancelled")
    raise Stopped("cancelled", reason="cancelled")


def defect(_: JobStop) -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("inside", [drained, cancelled, defect])
def test_a_job_that_stops_inside_it_needs_attention_and_is_not_taken_again(
    world: World, inside: Callable[[JobStop], None]
) -> None:
    job = world.deploy()
    world.play(inside)
    row = world.job(job)
    assert (row.state, row.attention, row.error["code"]) == ("error", "open", "needs_attention")
    assert world.deployment(job).state == "needs_attention"
    assert f"norn resolve {job} --done" in row.error["hint"]


def test_a_worker_that_dies_inside_it_leaves_a_job_that_needs_attention_and_no_newer_deploy_passes_it(
    world: World,
) -> None:
    job = world.deploy()
    world.killed()
    newer = world.deploy()
    sweep(world.database, max_claims=5)
    assert (world.job(job).attention, world.job(newer).state, world.migrated) == ("open", "superseded", ["red"])


def test_a_job_that_an_older_sweeper_queued_again_does_not_repeat_it(world: World) -> None:
    job = world.deploy()
    world.killed()
    with world.database.transaction() as tx:
        tx.execute(update(JobRow).values(state="queued"))
    assert world.play() is JobState.ERROR
    assert (world.job(job).attention, world.migrated) == ("open", ["red"])


def failed(_: JobStop) -> None:
    raise StepFailed("the column is there already")


def test_one_that_failed_by_itself_has_ended_and_its_app_may_try_again(world: World) -> None:
    job = world.deploy()
    assert world.play(failed) is JobState.FAILED
    assert (world.job(job).attention, world.job(job).error["sentence"]) == (None, "the column is there already")
    assert world.steps(job) == {"build-image": "succeeded", MIGRATE_DATABASE: "failed", "discard-source": "succeeded"}
    world.deploy()


def test_a_worker_that_dies_after_its_failure_and_before_the_jobs_end_does_not_let_another_one_repeat_it(
    world: World,
) -> None:
    def die() -> None:
        raise Killed

    job, world.tidying = world.deploy(), die
    world.dies(failed)
    sweep(world.database, max_claims=5)
    assert (world.job(job).state, world.job(job).attention, world.migrated) == ("error", "open", ["red"])


@pytest.fixture
def unknown(world: World) -> int:
    """A deploy whose worker died inside the step."""
    job = world.deploy()
    world.killed()
    sweep(world.database, max_claims=5)
    return job


def test_until_then_the_app_takes_no_deploy_and_no_forge_but_a_rollback(world: World, unknown: int) -> None:
    for request in (world.deploy, lambda: dispatch.request_forge(world.intake, "blog", force=False, actor="ann")):
        with pytest.raises(NeedsAttention, match=f"job {unknown} of blog stopped in a step") as refused:
            request()
        assert f"norn resolve {unknown}" in refused.value.hint
    with world.database.transaction() as tx:
        factories.add_release(tx, factories.spec("blog", "webserver", REPO), 7, live=False)
    dispatch.request_rollback(world.intake, "blog", release=7, actor="ann")


@pytest.mark.parametrize(("resolution", "runs"), [(Resolution.DONE, 1), (Resolution.RETRY, 2)])
def test_the_answer_makes_a_job_that_goes_on_with_what_was_done(
    world: World, unknown: int, resolution: Resolution, runs: int
) -> None:
    deployment = world.job(unknown).deployment
    goes_on = dispatch.request_resolve(world.intake, unknown, resolution, actor="eve")
    assert goes_on.deployment == deployment
    assert world.play() is JobState.SUCCEEDED
    assert (world.built, world.migrated) == (1, ["red"] * runs)
    assert set(world.steps(goes_on.job).values()) == {"succeeded"}
    assert (world.job(unknown).attention, world.deployment(unknown).job_id) == (str(resolution), goes_on.job)
    world.deploy()


@pytest.mark.parametrize("resolution", Resolution)
def test_only_the_answer_that_it_did_its_work_says_that_the_release_migrated_the_database(
    world: World, unknown: int, resolution: Resolution
) -> None:
    dispatch.request_resolve(world.intake, unknown, resolution, actor="eve")
    with world.database.transaction() as tx:
        migrated = tx.scalars(select(ReleaseRow.n).where(ReleaseRow.migrated_at.is_not(None))).all()
    assert migrated == ([world.job(unknown).release] if resolution is Resolution.DONE else [])


def test_an_abandoned_job_does_not_go_on_and_its_app_takes_work_again(world: World, unknown: int) -> None:
    assert dispatch.request_resolve(world.intake, unknown, Resolution.ABANDON, actor="eve").job == unknown
    assert (world.job(unknown).attention, world.deployment(unknown).state) == ("abandon", "failed")
    world.deploy()


def test_a_teardown_abandons_it(world: World, unknown: int) -> None:
    dispatch.request_teardown(world.intake, "blog", purge=False, actor="ann")
    assert world.job(unknown).attention == "abandon"


def test_only_a_job_that_needs_attention_is_resolved_and_only_once(world: World, unknown: int) -> None:
    dispatch.request_resolve(world.intake, unknown, Resolution.ABANDON, actor="eve")
    with pytest.raises(Conflict, match=f"job {unknown} needs no attention: it is error"):
        dispatch.request_resolve(world.intake, unknown, Resolution.DONE, actor="eve")
    with pytest.raises(NotFound):
        dispatch.request_resolve(world.intake, 4711, Resolution.DONE, actor="eve")


def test_a_draining_worker_gives_it_time_to_end(world: World) -> None:
    world.deploy()
    spared: list[float] = []
    world.play(lambda stop: spared.append(stop.spared))
    assert spared == [25.0]
