"""When a resumed deploy fetches its source again: only to build the stage of its test, and only in the same
revision.
"""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import pytest

from norn_tasks.adapters.sources.directories import LocalDirectories
from norn_tasks.domain.errors import Forbidden, SourceError
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.facts import BuiltImage, Fact, Facts, SourceRevision, to_json
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.jobs.requests import DeployJobRequest, DirectorySource
from norn_tasks.ports import Limits, Tools
from norn_tasks.steps.source import CloneSource
from norn_tasks.steps.step import StepContext
from tests import factories
from tests.fakes.stop import FakeWatch

BUILT = BuiltImage("sha256:1", "key")
STAGE = "build: {test: make, testStage: build}\n"


def clone(tmp_path: Path, more: str, *facts: Fact, may_open: bool = False) -> str | None:
    """Runs the step on a directory with one file; returns the revision that it learned."""
    source = tmp_path / "app"
    source.mkdir(parents=True, exist_ok=True)
    (source / "Dockerfile").write_text("FROM busybox\n")
    limits = Limits(1, 1, 1, engine_patience=0.0, workspace=tmp_path / "work", instance="us")
    tools = cast(Tools, type("SomeTools", (), {"limits": limits, "directories": LocalDirectories(most=2**20)}))
    job = Job(
        id=1, request=DeployJobRequest(DirectorySource(str(source)), None, may_open), app="app",
        spec=factories.spec("app", "function", more), fence=Fence(1, 1), facts=Facts.from_json(to_json(facts)),
    )  # fmt: skip
    learned = CloneSource().run(StepContext(job, tools, FakeWatch().watch, cast(Any, None)))
    found = Facts.from_json(to_json(learned.facts)).get(SourceRevision) if learned else None
    return found.revision if found else None


def test_a_built_image_without_a_stage_to_test_needs_no_source(tmp_path: Path) -> None:
    assert clone(tmp_path, "", SourceRevision("red"), BUILT) is None


def test_the_stage_of_the_test_is_built_of_the_same_source_on_another_machine_too(tmp_path: Path) -> None:
    revision = clone(tmp_path, STAGE)
    assert revision is not None
    assert clone(tmp_path / "other", STAGE, SourceRevision(revision), BUILT) == revision


def test_the_source_that_is_there_stays(tmp_path: Path) -> None:
    clone(tmp_path, STAGE)
    assert clone(tmp_path, STAGE, SourceRevision("red"), BUILT) is None


def test_a_source_that_has_changed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="the source has changed since the image was built of red"):
        clone(tmp_path, STAGE, SourceRevision("red"), BUILT)


@pytest.mark.parametrize(("may_open", "refused"), [(True, False), (False, True)])
def test_a_revision_that_anyone_could_call_is_refused_unless_its_sender_may_open_it(
    tmp_path: Path, may_open: bool, refused: bool
) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "infraspec.yaml").write_text("app: app\nrole: function\nfunction: {auth: none}\n")
    with pytest.raises(Forbidden, match="only an admin") if refused else nullcontext():
        clone(tmp_path, "", may_open=may_open)
