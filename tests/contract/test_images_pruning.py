"""Ten builds of a two-stage image leave as much on the disk as two builds do, and nothing that belongs to others is
removed.
"""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import select, update

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker.images import DockerImages
from norn_tasks.domain.errors import NotFound
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.facts import Fact, Facts
from norn_tasks.domain.jobs.job import Fence, JobKind
from norn_tasks.domain.jobs.writes import ReleaseLive
from norn_tasks.ports import BuildOrder, Image, Limits, Tools
from norn_tasks.steps.image import PruneImages
from norn_tasks.steps.step import StepContext
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger import apply_writes
from norn_tasks.store.releases import go_live
from norn_tasks.store.tables import JobRow, ReleaseRow
from tests import factories
from tests.contract.conftest import IMAGE
from tests.contract.test_images import LIMITS, docker_clis
from tests.fakes.build_queue import NoQueue
from tests.fakes.registry_images import FakeRegistryImages
from tests.fakes.stop import FakeWatch

RUN = uuid.uuid4().hex
"""This mark is in every layer of this run, so that the engine's cache of earlier runs is not used."""


@pytest.fixture(params=docker_clis())
def images(request: pytest.FixtureRequest, clean_engine: EngineClient, tmp_path: Path) -> DockerImages:
    return DockerImages(clean_engine, tmp_path / "workspace", LIMITS, NoQueue(), docker=request.param)


@pytest.fixture
def foreign(engine: EngineClient, tmp_path: Path) -> Iterator[str]:
    """An image that does not belong to Norn: dangling, of two stages, without a label, made by the same builder."""
    place = tmp_path / "foreign"
    place.mkdir()
    (place / "Dockerfile").write_text(dockerfile(f"foreign-{RUN}", 1))
    environment = {**os.environ, "DOCKER_HOST": engine.address, "DOCKER_BUILDKIT": "0"}
    subprocess.run(
        ["docker", "build", "-q", "--iidfile", place / "id", "."], cwd=place, env=environment, check=True,
        capture_output=True,
    )  # fmt: skip
    image = (place / "id").read_text().strip()
    yield image
    for each in (image, *left(engine, f"foreign-{RUN}")):
        subprocess.run(["docker", "rmi", "-f", each], env=environment, check=False, capture_output=True)


def dockerfile(mark: str, n: int) -> str:
    return (
        f"FROM {IMAGE} AS build\nRUN : {mark}; echo {n} > /made\nRUN : {mark}; cat /made > /copy\n"
        f"FROM {IMAGE}\nRUN : {mark}; echo final {n} > /final\nCOPY --from=build /copy /copy\n"
    )


def left(engine: EngineClient, mark: str) -> set[str]:
    """Returns every image on the engine, also intermediate ones, of builds with this mark."""
    found: set[str] = set()
    for each in engine.ask(lambda client: client.images(all=True)):
        try:
            history = engine.ask(lambda client, each=each: client.history(each["Id"]))  # type: ignore[misc]
        except NotFound:
            continue  # an image of another test, which has just removed it
        if any(mark in layer["CreatedBy"] for layer in history):
            found.add(each["Id"])
    return found


def deploy(database: Database, images: DockerImages, source: Path, app: str, n: int, mark: str) -> None:
    """Builds release n, makes it live and prunes old images, as a deploy does."""
    (source / "Dockerfile").write_text(dockerfile(mark, n))
    built = images.build(BuildOrder(source, "Dockerfile", f"norn/{app}:{n}", app, str(n), "us"), FakeWatch().watch)
    facts, row = went_live(database, app, n, built)
    limits = Limits(1, 1, 1, engine_patience=0.0, workspace=source, instance="us")
    has = {"images": images, "limits": limits, "registry_images": FakeRegistryImages(), "runtimes": {}}
    tools = cast(Tools, type("SomeTools", (), has))
    job = Job(id=n, request=factories.DEPLOY, app=app, spec=None, fence=Fence(n, 1), facts=Facts(facts))
    learned = PruneImages().run(StepContext(job, tools, FakeWatch().watch, cast(Any, None)))
    assert learned is not None
    with database.transaction() as tx:
        apply_writes.record(tx, row, learned.writes)


def went_live(database: Database, app: str, n: int, built: Image) -> tuple[tuple[Fact, ...], Any]:
    spec = factories.spec(app, "function", "artifacts:\n  retain: 1\n")
    with database.transaction() as tx:
        if n == 1:
            factories.add_app(tx, spec)
        factories.add_release(tx, spec, n, image=built.id)
        tx.execute(update(ReleaseRow).where(ReleaseRow.n == n).values(stages=list(built.stages)))
        job = factories.add_job(tx, JobKind.FORGE, app, spec=spec.frozen())
        tx.execute(update(JobRow).where(JobRow.id == job).values(release=n, state="succeeded"))
        row = tx.execute(select(JobRow).where(JobRow.id == job)).mappings().one()
        return go_live.release_live(tx, row, ReleaseLive(n)), row


@pytest.mark.timeout(300)
def test_ten_builds_leave_what_two_leave(
    database: Database, images: DockerImages, engine: EngineClient, app: str, tmp_path: Path, foreign: str
) -> None:
    source, mark = tmp_path / "source", f"{app}-{RUN}"
    source.mkdir()
    theirs, counts = left(engine, f"foreign-{RUN}"), {}
    for n in range(1, 11):
        deploy(database, images, source, app, n, mark)
        if n in (2, 10):
            counts[n] = len(left(engine, mark))
    print(f"images of ours on the engine after so many builds: {counts}")
    assert counts[2] == counts[10]
    assert (left(engine, f"foreign-{RUN}"), foreign in theirs) == (theirs, True)
