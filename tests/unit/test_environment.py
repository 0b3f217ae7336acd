"""The environment of each kind of container of an app, and which source has priority."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from norn_tasks.domain.jobs.claimed import ExecutionRequest, Job
from norn_tasks.domain.jobs.job import Fence, JobKind
from norn_tasks.ports import Limits
from norn_tasks.steps.container import run_of
from norn_tasks.steps.environment import environment_of
from norn_tasks.steps.image import TestImage
from norn_tasks.steps.step import StepContext
from norn_tasks.steps.workload import Version, workload_of
from tests import factories
from tests.fakes.stop import FakeWatch

MINE = 'build:\n  test: "true"\nenv:\n  GREETING: hello\n  PORT: "9"\n'
COMMON = {"GREETING": "hello", "NORN_APP": "blog", "NORN_RELEASE": "3"}


def context(role: str, kind: JobKind, **more: Any) -> StepContext:
    limits = Limits(60, 1, 1, engine_patience=0.0, workspace=Path(), instance="t")
    tools = cast(Any, SimpleNamespace(limits=limits))
    execution = ExecutionRequest(7, "i", **more)
    spec = factories.spec("blog", role, MINE)
    job = Job(1, factories.request(kind), "blog", spec, Fence(1, 1), release=3, execution=execution)
    return StepContext(job, tools, FakeWatch().watch, cast(Any, None))


def env_of_a_replica() -> dict[str, str]:
    given = context("webserver", JobKind.DEPLOY)
    return dict(workload_of(given, Version(3, 1, given.spec, "i", 0)).env)


def test_a_webserver_has_its_port_unless_its_spec_sets_another() -> None:
    assert env_of_a_replica() == COMMON | {"PORT": "9"}


def test_the_port_of_the_spec_is_the_default() -> None:
    job = Job(1, factories.DEPLOY, "blog", factories.spec("blog", "webserver"), Fence(1, 1), release=3)
    assert environment_of(job)["PORT"] == "8080"


def test_a_run_has_its_own_variables_besides() -> None:
    at = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    run = run_of(context("cron", JobKind.CRON_RUN, scheduled_for=at))
    norn = {"NORN_EXECUTION_ID": "7", "NORN_ATTEMPT": "1", "NORN_SCHEDULED_AT": "2026-01-02T03:04:00Z"}
    assert dict(run.env) == COMMON | norn | {"NORN_CATCHUP": "0", "PORT": "9"}


def test_a_command_of_a_webserver_has_its_port_and_writes_where_its_replicas_may() -> None:
    run = run_of(context("webserver", JobKind.RUN))
    assert (run.env["PORT"], run.writable) == ("9", True)
    assert not run_of(context("cron", JobKind.RUN)).writable


def test_the_test_of_an_image_has_the_environment_of_its_app() -> None:
    of_test = TestImage()._run(context("webserver", JobKind.DEPLOY), "i")
    assert dict(of_test.env) == env_of_a_replica()
