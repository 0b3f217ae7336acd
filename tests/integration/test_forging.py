"""A forge of a live app updates its release to the registered spec, once, and changes nothing where nothing differs."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, text, update

from norn_tasks import dispatch
from norn_tasks.domain.infraspec import Infraspec, parse
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import JobState, Problem
from norn_tasks.domain.jobs.step import Learned, StepEnd, StepPosition, StepState
from norn_tasks.domain.jobs.writes import ReleaseLive
from norn_tasks.pipelines import PIPELINES
from norn_tasks.store.apps import registry
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.releases import releases
from norn_tasks.store.tables import AppRow, DeploymentRow, JobRow, ReleaseRow
from tests import factories

WEB = "app: web\nrole: webserver\nport: 8080\n"
CHANGES = {
    "env": "env: {COLOUR: blue}\n", "replicas": "replicas: 3\n", "healthcheck": "healthcheck: /health\n",
    "hosts": "hosts: {internal: shop}\n", "resources": "resources: {memory: 64m}\n", "command": "command: [serve]\n",
}  # fmt: skip


@pytest.fixture
def intake(database: Database) -> dispatch.Intake:
    """A webserver `web` whose release 1 is live."""
    factories.add_live(database, "web", "webserver")
    return factories.intake(database)


def register(database: Database, more: str, base: str = WEB) -> Infraspec:
    wanted = parse(base + more)
    with database.transaction() as tx:
        registry.apply(tx, None, wanted, actor="ann")
    return wanted


def begun(intake: dispatch.Intake, app: str = "web", *, force: bool = False) -> Job:
    """Requests a forge, and lets a worker claim it."""
    dispatch.request_forge(intake, app, force=force, actor="ann")
    return factories.claim(intake.database)


def went_live(intake: dispatch.Intake, job: Job) -> None:
    """Ends the rollout of a forge, and the job with it."""
    end = StepEnd(StepState.SUCCEEDED, Learned(writes=(ReleaseLive(job.id),)), ends=JobState.SUCCEEDED)
    Ledger(intake.database, patience=1).end_step(job.fence, StepPosition(9, "await-rollout"), end)


def live(database: Database, app: str = "web") -> Any:
    with database.transaction() as tx:
        return releases.require_live(tx, app)


def numbers(database: Database) -> list[int]:
    with database.transaction() as tx:
        return list(tx.scalars(select(ReleaseRow.n).order_by(ReleaseRow.n)))


@pytest.mark.parametrize("field", CHANGES)
def test_a_changed_field_makes_a_release_of_the_same_image_and_revision(intake: dispatch.Intake, field: str) -> None:
    wanted = register(intake.database, CHANGES[field])
    before = live(intake.database)
    job = begun(intake)
    went_live(intake, job)
    after = live(intake.database)
    assert (after["n"], after["spec"], after["generation"]) == (2, wanted.frozen(), job.id)
    assert [after[same] for same in ("image_id", "revision", "engine")] == [
        before[same] for same in ("image_id", "revision", "engine")
    ]


def test_a_second_forge_makes_no_release_and_rolls_nothing_out(intake: dispatch.Intake) -> None:
    register(intake.database, CHANGES["env"])
    went_live(intake, begun(intake))
    again = begun(intake)
    assert (again.deployment, numbers(intake.database)) == (None, [1, 2])
    assert "rollout-image" not in [step.name for step in PIPELINES[again.kind](again)]


@pytest.mark.parametrize(
    "more", ["build: {dockerfile: other/Dockerfile}\n", "core: true\n", "artifacts: {retain: 9}\n"]
)
def test_what_only_a_deploy_brings_to_effect_is_left_to_it(intake: dispatch.Intake, more: str) -> None:
    register(intake.database, more)
    assert (begun(intake).deployment, numbers(intake.database)) == (None, [1])


def test_a_forge_without_a_change_goes_on_with_the_spec_that_is_live(intake: dispatch.Intake) -> None:
    register(intake.database, "core: true\n")
    job = begun(intake)
    assert job.live is not None and job.spec == job.live.spec


def test_a_registered_spec_that_was_there_before_does_not_undo_that_of_a_revision(intake: dispatch.Intake) -> None:
    registered = register(intake.database, CHANGES["env"])
    with intake.database.transaction() as tx:
        tx.execute(update(ReleaseRow).values(registered=registered.frozen(), spec=parse(WEB).frozen()))
    assert begun(intake).deployment is None
    register(intake.database, CHANGES["replicas"])
    with intake.database.transaction() as tx:
        tx.execute(update(JobRow).values(state="succeeded"))
    assert begun(intake).release == 2


def test_a_worker_that_takes_the_forge_over_rolls_the_same_release_out(intake: dispatch.Intake) -> None:
    register(intake.database, CHANGES["env"])
    first = begun(intake)
    with intake.database.transaction() as tx:
        tx.execute(update(JobRow).values(state="queued"))
    second = factories.claim(intake.database)
    assert (second.release, second.deployment, numbers(intake.database)) == (2, first.deployment, [1, 2])


def test_a_forced_forge_tears_down_and_rolls_nothing_out(intake: dispatch.Intake) -> None:
    register(intake.database, CHANGES["env"])
    assert (begun(intake, force=True).deployment, numbers(intake.database)) == (None, [1])


def test_a_deploy_that_goes_live_before_the_forge_begins_is_what_it_changes(intake: dispatch.Intake) -> None:
    wanted = register(intake.database, CHANGES["env"])
    dispatch.request_forge(intake, "web", force=False, actor="ann")
    with intake.database.transaction() as tx:
        factories.add_release(tx, parse(WEB), 2, image="sha256:new")
    went_live(intake, factories.claim(intake.database))
    after = live(intake.database)
    assert (after["n"], after["image_id"], after["spec"]) == (3, "sha256:new", wanted.frozen())


def test_a_scale_stays_as_long_as_the_spec_asks_for_the_same_number(intake: dispatch.Intake) -> None:
    with intake.database.transaction() as tx:
        tx.execute(update(AppRow).values(replicas_override=4, override_spec=1))
    register(intake.database, CHANGES["env"])
    went_live(intake, begun(intake))
    with intake.database.transaction() as tx:
        assert tx.scalar(text("SELECT replicas_override FROM apps")) == 4


# A failed health check


def failed(intake: dispatch.Intake) -> None:
    """Lets the rollout of a forge fail at its health check."""
    register(intake.database, CHANGES["env"])
    job = begun(intake)
    problem = Problem("rollout_failed", "it exited 1")
    Ledger(intake.database, patience=1).finish(job.fence, JobState.FAILED, problem, returns=True)


def test_a_forge_whose_gate_fails_leaves_the_app_forged_and_its_release_live(intake: dispatch.Intake) -> None:
    failed(intake)
    with intake.database.transaction() as tx:
        app = tx.execute(select(AppRow.forge_state, AppRow.forge_error)).one()
    assert (app.forge_state, app.forge_error["sentence"], live(intake.database)["n"]) == ("forged", "it exited 1", 1)


def test_a_forge_whose_gate_fails_returns_to_the_live_release(intake: dispatch.Intake) -> None:
    failed(intake)
    with intake.database.transaction() as tx:
        made = [tuple(row) for row in tx.execute(
            select(DeploymentRow.kind, DeploymentRow.state, DeploymentRow.release)
            .where(DeploymentRow.kind != "deploy").order_by(DeploymentRow.id))]  # fmt: skip
    assert made == [("forge", "failed", 2), ("return", "queued", 1)]


# Roles without permanent replicas


@pytest.mark.parametrize(
    ("role", "base", "more", "step"),
    [
        ("cron", "app: job\nrole: cron\nschedule: '0 9 * * *'\n", "timeout: 60\n", "register-schedule"),
        ("function", "app: job\nrole: function\n", "function: {timeout: 5}\n", "register-function"),
    ],
)
def test_the_next_run_has_the_registered_spec(database: Database, role: str, base: str, more: str, step: str) -> None:
    factories.add_live(database, "job", role)
    wanted = register(database, more, base)
    intake = factories.intake(database)
    job = begun(intake, "job")
    steps = PIPELINES[job.kind](job)
    assert [each.name for each in steps].count(step) == 1
    learned = StepEnd(StepState.SUCCEEDED, Learned(writes=(ReleaseLive(job.id),)), ends=JobState.SUCCEEDED)
    Ledger(database, patience=1).end_step(job.fence, StepPosition(4, step), learned)
    assert (live(database, "job")["n"], live(database, "job")["spec"]) == (2, wanted.frozen())
