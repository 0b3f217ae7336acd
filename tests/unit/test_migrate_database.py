"""The container of a database migration, which another worker must never continue."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from norn_tasks.domain.errors import Stopped
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.facts import BuiltImage, Facts
from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.ports import Hooks, Limits, Tools
from norn_tasks.steps.services import MigrateDatabase
from norn_tasks.steps.step import StepContext
from tests import factories
from tests.fakes.runtime import Does, FakeRuntime
from tests.fakes.stop import FakeWatch


@pytest.mark.parametrize("reason", ["draining", "lease_lost", "cancelled"])
def test_a_migration_that_is_stopped_leaves_no_container(tmp_path: Path, reason: str) -> None:
    runtime, watch = FakeRuntime(default=Does(seconds=60)), FakeWatch()
    hooks = SimpleNamespace(created=lambda _: None, begun=lambda: watch.stop.set(reason))
    spec = factories.spec("shop", "worker", "migrations: {command: migrate}\n")
    facts = Facts((BuiltImage("sha256:1", "key"),))
    job = Job(1, factories.request(JobKind.DEPLOY), "shop", spec, watch.watch.fence, facts=facts)
    limits = Limits(1, 2**26, 1, 0, tmp_path, "t")
    tools = SimpleNamespace(limits=limits, engines={"docker": runtime.on}, runtimes={"docker": runtime})
    with pytest.raises(Stopped):
        MigrateDatabase().run(StepContext(job, cast(Tools, tools), watch.watch, cast(Hooks, hooks)))
    assert (len(runtime.ran), runtime.containers) == (1, {})
