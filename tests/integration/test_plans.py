"""A plan names exactly the changes of a following forge, and is empty after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from norn_tasks import dispatch
from norn_tasks.domain.comparing.changes import changes
from norn_tasks.domain.infraspec import from_json, parse
from norn_tasks.domain.infraspec.effect import differences
from norn_tasks.domain.jobs.job import JobState
from norn_tasks.domain.jobs.step import Learned, StepEnd, StepPosition, StepState
from norn_tasks.domain.jobs.writes import ReleaseLive
from norn_tasks.store.apps import registry
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.releases import releases
from norn_tasks.store.status import plans
from norn_tasks.store.status.plans import Plan
from tests import factories

WEB = "app: web\nrole: webserver\nport: 8080\n"
TEN = (
    "env: {COLOUR: blue}\n", "replicas: 3\n", "healthcheck: /health\n", "hosts: {internal: shop}\n",
    "resources: {memory: 64m}\n", "command: [serve]\n", "stopGrace: 20s\n", "rollout: recreate\n",
    "volumes: [{name: data, mountPath: /data, size: 1g}]\n", "alerts: {threshold: 5}\n",
)  # fmt: skip


@dataclass(frozen=True)
class World:
    """A webserver `web` whose release 1 is live."""

    database: Database

    def plan(self, spec: str | None = None, app: str = "web") -> Plan:
        with self.database.transaction() as tx:
            return plans.of(tx, None, app, parse(spec) if spec else None)

    def register(self, spec: str) -> None:
        with self.database.transaction() as tx:
            registry.apply(tx, None, parse(spec), actor="ann")

    def live(self) -> Any:
        with self.database.transaction() as tx:
            return releases.require_live(tx, "web")

    def forge(self) -> None:
        dispatch.request_forge(factories.intake(self.database), "web", force=False, actor="ann")
        job = factories.claim(self.database)
        end = StepEnd(StepState.SUCCEEDED, Learned(writes=(ReleaseLive(job.id),)), ends=JobState.SUCCEEDED)
        Ledger(self.database, patience=1).end_step(job.fence, StepPosition(9, "await-rollout"), end)


@pytest.fixture
def world(database: Database) -> World:
    factories.add_live(database, "web", "webserver")
    world = World(database)
    world.register(WEB)
    return world


@pytest.mark.parametrize("more", TEN)
def test_a_plan_names_exactly_what_a_forge_then_changes(world: World, more: str) -> None:
    planned, before = world.plan(WEB + more), from_json(world.live()["spec"])
    assert planned.changes and planned.makes_release
    world.register(WEB + more)
    assert world.plan() == planned, "the registered infraspec has the plan that was made before it was registered"
    world.forge()
    after = from_json(world.live()["spec"])
    assert planned.changes == changes(before, after)
    assert {change.field.partition(".")[0] for change in planned.changes} == set(differences(before, after))
    assert not world.plan().changed


def test_a_change_of_the_build_waits_for_a_deploy(world: World) -> None:
    planned = world.plan(WEB + "build: {test: 'true'}\n")
    assert planned.changed and not planned.makes_release


def test_the_number_of_replicas_is_the_one_that_runs_and_not_the_one_of_the_spec(world: World) -> None:
    intake = factories.intake(world.database)
    dispatch.request_scale(intake, "web", replicas=4, actor="ann")
    (change,) = world.plan(WEB + "replicas: 2\n").changes
    assert (change.before, change.after) == ("4", "2")


def test_an_app_that_is_not_there_yet_is_made_whole(world: World) -> None:
    planned = world.plan("app: night\nrole: cron\nschedule: '@daily'\nsecrets: [KEY]\n", "night")
    assert [what for _, what in planned.creates] == ["schedule @daily (UTC)"]
    assert [blocker.sentence for blocker in planned.blockers] == ["the secret KEY is not set"]


def test_another_role_is_refused_by_the_plan_as_by_the_forge(world: World) -> None:
    (blocker,) = world.plan("app: web\nrole: worker\n").blockers
    assert blocker.sentence == "role: web was forged as a webserver and cannot become a worker"
