"""The promises of building and keeping images, tested on the fake and on every docker CLI of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from norn_tasks.adapters.docker.building.builder import BuildLimits
from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker.images import DockerImages
from norn_tasks.domain.errors import BuildFailed, SourceError
from norn_tasks.ports import BuildOrder, Image, Images
from tests.contract.conftest import IMAGE
from tests.fakes.build_queue import NoQueue
from tests.fakes.images import FakeImages
from tests.fakes.stop import FakeWatch

LIMITS = BuildLimits(timeout=60, memory=256 * 2**20, cpus=1)
STAGES = f"""FROM {IMAGE} AS one
USER 1001
FROM {IMAGE} AS two
COPY greeting /greeting
USER 1002
"""


def docker_clis() -> list[str]:
    """Returns the docker CLIs on the PATH: their versions build with different builders."""
    found = (Path(part) / "docker" for part in os.environ["PATH"].split(os.pathsep) if part)
    return list(dict.fromkeys(str(path.resolve()) for path in found if path.is_file())) or ["docker"]


@pytest.fixture(params=["fake", *docker_clis()])
def images(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Images]:
    if request.param == "fake":
        public = Image("sha256:public", (IMAGE,), {})
        yield FakeImages({public.id: public})
        return
    engine: EngineClient = request.getfixturevalue("clean_engine")
    yield DockerImages(engine, tmp_path / "workspace", LIMITS, NoQueue(), docker=request.param)


@pytest.fixture
def context(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.mkdir()
    (path / "greeting").write_text("hello\n")
    (path / "Dockerfile").write_text(STAGES)
    return path


@pytest.fixture
def order(context: Path, app: str) -> BuildOrder:
    return BuildOrder(context, "Dockerfile", f"norn/{app}:1", app, "k")


def test_a_build_answers_the_image(images: Images, order: BuildOrder, app: str) -> None:
    built = images.build(order, FakeWatch().watch)
    assert (built.tags, dict(built.labels), built.user) == (
        (f"norn/{app}:1",),
        {"norn.io/app": app, "norn.io/key": "k"},
        "1002",
    )


def test_a_stage_can_be_built_alone(images: Images, context: Path, app: str) -> None:
    order = BuildOrder(context, "Dockerfile", f"norn/{app}:test", app, target="one")
    assert images.build(order, FakeWatch().watch).user == "1001"


def test_an_image_is_found_by_tag_and_by_id(images: Images, order: BuildOrder) -> None:
    built = images.build(order, FakeWatch().watch)
    found = [images.find(reference) for reference in (built.id, order.tag)]
    assert [image and image.id for image in found] == [built.id, built.id]


def test_what_is_not_there_is_not_found(images: Images, app: str) -> None:
    assert images.find(f"norn/{app}:nosuch") is None


def test_the_images_of_an_app_are_listed(images: Images, order: BuildOrder, app: str) -> None:
    built = images.build(order, FakeWatch().watch)
    assert ([each.id for each in images.of_app(app)], images.of_app(app + "x")) == ([built.id], ())


def test_all_our_images_are_listed_by_their_ids(images: Images, order: BuildOrder) -> None:
    built = images.build(order, FakeWatch().watch)
    public = images.find(IMAGE)
    assert public is not None
    assert (built.id in images.ids(), public.id in images.ids()) == (True, False)
    images.remove(built.id)
    assert built.id not in images.ids()


def test_a_removed_image_is_gone_with_its_tags(images: Images, order: BuildOrder) -> None:
    built = images.build(order, FakeWatch().watch)
    assert (images.remove(built.id), images.find(order.tag), images.find(built.id)) == (True, None, None)


def test_removing_twice_is_fine(images: Images, order: BuildOrder) -> None:
    built = images.build(order, FakeWatch().watch)
    assert (images.remove(built.id), images.remove(built.id)) == (True, True)


def test_an_image_that_is_not_ours_stays(images: Images) -> None:
    public = images.find(IMAGE)
    assert public is not None
    assert (images.remove(public.id), images.find(IMAGE)) == (False, public)


def test_an_image_with_a_tag_or_our_label_is_no_stage(images: Images, order: BuildOrder) -> None:
    first = images.build(order, FakeWatch().watch)
    (order.context / "greeting").write_text("hello again\n")
    second = images.build(order, FakeWatch().watch)  # gets the tag of the first image
    public = images.find(IMAGE)
    assert public is not None
    assert [images.remove_stage(each.id) for each in (first, second, public)] == [False, False, False]
    assert [images.find(each.id) is None for each in (first, second, public)] == [False, False, False]
    images.remove(first.id)


def test_a_missing_dockerfile_is_named(images: Images, order: BuildOrder) -> None:
    (order.context / "Dockerfile").unlink()
    with pytest.raises(SourceError, match="there is no Dockerfile in the source"):
        images.build(order, FakeWatch().watch)


def test_a_failing_instruction_fails_the_build_and_is_named(images: Images, order: BuildOrder) -> None:
    (order.context / "Dockerfile").write_text(f"FROM {IMAGE}\nRUN false\n")
    with pytest.raises(BuildFailed, match="false"):
        images.build(order, FakeWatch().watch)


def test_an_image_with_a_label_of_norn_is_refused_and_leaves_no_tag(images: Images, order: BuildOrder) -> None:
    (order.context / "Dockerfile").write_text(f"FROM {IMAGE}\nLABEL norn.io/generation=x\n")
    with pytest.raises(SourceError, match=r"norn\.io/generation"):
        images.build(order, FakeWatch().watch)
    assert images.find(order.tag) is None


def test_output_is_told(images: Images, order: BuildOrder) -> None:
    watch = FakeWatch()
    images.build(order, watch.watch)
    assert any("COPY greeting /greeting" in line for line in watch.said)


def test_a_syntax_line_is_dropped(images: Images, order: BuildOrder) -> None:
    (order.context / "Dockerfile").write_text(f"# syntax=docker/dockerfile:1.99\n{STAGES}")
    assert images.build(order, FakeWatch().watch).user == "1002"


def test_another_frontend_is_refused(images: Images, order: BuildOrder) -> None:
    (order.context / "Dockerfile").write_text(f"# syntax=evil/frontend\n{STAGES}")
    with pytest.raises(SourceError, match="evil/frontend"):
        images.build(order, FakeWatch().watch)


def test_adding_from_the_hosts_own_network_is_refused(images: Images, order: BuildOrder) -> None:
    (order.context / "Dockerfile").write_text(f"FROM {IMAGE}\nADD http://127.0.0.1:8800/api/health /x\n")
    with pytest.raises(SourceError, match=r"127\.0\.0\.1, which is not an address of the public internet"):
        images.build(order, FakeWatch().watch)


def test_a_cache_within_its_limit_is_left_alone(images: Images) -> None:
    assert images.trim_cache() == 0
