"""A deploy removes images that no kept release needs, and their build stages, but only Norn's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import insert, select, update

from norn_tasks.domain.errors import Stopped
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.facts import Facts, to_json
from norn_tasks.domain.jobs.job import Fence, JobKind
from norn_tasks.domain.jobs.writes import ReleaseLive
from norn_tasks.pipelines.forge import teardown
from norn_tasks.ports import Image, Limits, Tools
from norn_tasks.steps.image import BuildImage, PruneImages, RemoveImages, build_key, image_tag
from norn_tasks.steps.step import StepContext
from norn_tasks.store.database.session import Database
from norn_tasks.store.releases import go_live
from norn_tasks.store.tables import JobRow, ReleaseRow
from tests import factories
from tests.fakes.engine import FakeEngine
from tests.fakes.images import FakeImages
from tests.fakes.registry_images import FakeRegistryImages
from tests.fakes.stop import FakeWatch

SPEC = factories.spec("blog", "function", "artifacts:\n  retain: 1\n")


@pytest.fixture
def images() -> FakeImages:
    """The images of an engine; at first it has none."""
    return FakeImages()


def _image(id: str, instance: str = "us", *tags: str) -> Image:
    return Image(id, tags, {"norn.io/app": "blog", "norn.io/instance": instance}, instance=instance)


def _context(images: FakeImages, workspace: Path, **facts: Any) -> StepContext:
    limits = Limits(1, 1, 1, engine_patience=0.0, workspace=workspace, instance="us")
    given = {"images": images, "engines": {"docker": FakeEngine()}, "limits": limits, "runtimes": {}}
    given["registry_images"] = FakeRegistryImages(images)
    job = Job(id=1, request=factories.DEPLOY, app="blog", spec=SPEC, fence=Fence(1, 1), facts=Facts.from_json(facts))
    hooks = cast(Any, None)  # neither step starts a container
    return StepContext(job, cast(Tools, type("SomeTools", (), given)), FakeWatch().watch, hooks)


# The steps


def _prune(images: FakeImages, *there: Image, **facts: Any) -> set[str]:
    images.there = {image.id: image for image in there}
    PruneImages().run(_context(images, Path(), **facts))
    return set(images.there)


def test_an_image_that_no_kept_release_needs_is_removed(images: FakeImages) -> None:
    assert _prune(images, _image("new"), _image("old"), keep_images=["new"]) == {"new"}


def test_an_image_of_another_control_planes_app_of_that_name_stays(images: FakeImages) -> None:
    assert _prune(images, _image("new"), _image("old", "them"), keep_images=["new"]) == {"new", "old"}


def test_a_purge_removes_all_images_of_the_app_and_no_other(images: FakeImages) -> None:
    images.there = {image.id: image for image in (_image("new"), _image("old"), _image("theirs", "them"))}
    learned = RemoveImages().run(_context(images, Path()))
    assert (set(images.there), learned and learned.note) == ({"theirs"}, "2 removed")


@pytest.mark.parametrize("purge", [True, False])
def test_a_teardown_removes_images_only_when_it_purges(purge: bool) -> None:
    request = factories.request(JobKind.TEARDOWN, purge=purge)
    steps = teardown(Job(id=1, request=request, app="blog", spec=SPEC, fence=Fence(1, 1)))
    assert ("remove-images" in [step.name for step in steps]) is purge


def test_a_spent_stage_is_removed(images: FakeImages) -> None:
    stage = Image("stage", (), {})
    assert _prune(images, _image("new"), stage, keep_images=["new"], spent_stages=["stage"]) == {"new"}


@pytest.mark.parametrize("foreign", [Image("x", (), {"norn.io/app": "shop"}), Image("x", ("busybox:1",), {})])
def test_what_an_app_only_says_to_be_its_stage_stays(images: FakeImages, foreign: Image) -> None:
    there = _prune(images, _image("new"), foreign, keep_images=["new"], spent_stages=["x"])
    assert there == {"new", "x"}


def test_whoever_lost_its_lease_meanwhile_removes_nothing(images: FakeImages) -> None:
    images.there = {image.id: image for image in (_image("new"), _image("newer"))}
    context = _context(images, Path(), keep_images=["new"])
    context.watch.stop.set("lease_lost")  # type: ignore[attr-defined]
    with pytest.raises(Stopped):
        PruneImages().run(context)
    assert set(images.there) == {"new", "newer"}


@pytest.mark.parametrize(("instance", "built"), [("us", 0), ("them", 1)])
def test_only_an_image_of_ours_saves_a_build(images: FakeImages, tmp_path: Path, instance: str, built: int) -> None:
    context = _context(images, tmp_path, revision="dir-1")
    source = context.workspace / "source"
    source.mkdir(parents=True)
    (source / "Dockerfile").write_text("FROM busybox:stable\n")
    images.there = {"old": _image("old", instance, image_tag("blog", build_key("dir-1", SPEC)))}
    BuildImage().run(context)
    assert len(images.built) == built


# The input from the ledger


def _learned(database: Database, *stages: tuple[str, list[str]]) -> dict[str, Any]:
    """Makes a release for each image with its stages; returns the facts of the last one when it goes live."""
    with database.transaction() as tx:
        factories.add_app(tx, SPEC)
        for n, (image, left) in enumerate(stages, 1):
            factories.add_release(tx, SPEC, n, image=image)
            tx.execute(update(ReleaseRow).where(ReleaseRow.n == n).values(stages=left))
        job = factories.add_job(tx, JobKind.DEPLOY, spec=SPEC.frozen())
        tx.execute(update(JobRow).where(JobRow.id == job).values(release=len(stages)))
        row = tx.execute(select(JobRow).where(JobRow.id == job)).mappings().one()
        return to_json(go_live.release_live(tx, row, ReleaseLive(1)))


def test_stages_of_an_image_that_is_not_kept_are_spent(database: Database) -> None:
    assert _learned(database, ("old", ["a", "b"]), ("new", ["c"]))["spent_stages"] == ["a", "b"]


def test_a_stage_that_a_kept_image_was_built_with_is_not_spent(database: Database) -> None:
    assert _learned(database, ("old", ["a", "b"]), ("new", ["b"]))["spent_stages"] == ["a"]


def test_stages_of_a_pruned_release_are_not_named_again(database: Database) -> None:
    with database.transaction() as tx:
        tx.execute(insert(ReleaseRow).values(app="blog", n=9, image_id="gone", stages=["z"], spec={},
                                          pruned_at=factories.LONG_AGO))  # fmt: skip
    assert _learned(database, ("new", ["c"]))["spent_stages"] == []
