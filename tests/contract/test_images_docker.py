"""Behaviour that only a real builder can show: how builds end, limits, and attacks by a hostile source."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from norn_tasks.adapters.docker.building.builder import BuildLimits
from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker.engine import DockerEngine
from norn_tasks.adapters.docker.images import DockerImages
from norn_tasks.adapters.docker.registry import Registry
from norn_tasks.domain.disk import Least
from norn_tasks.domain.errors import BuildFailed, DiskFull, EngineDown, SourceError, Stopped, TimedOut
from norn_tasks.ports import BuildOrder
from tests.contract.conftest import IMAGE
from tests.contract.test_images import LIMITS, docker_clis
from tests.fakes.build_queue import NoQueue
from tests.fakes.stop import FakeWatch

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=docker_clis())
def cli(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def images(clean_engine: EngineClient, tmp_path: Path, cli: str) -> DockerImages:
    return DockerImages(clean_engine, tmp_path / "workspace", LIMITS, NoQueue(), docker=cli)


@pytest.fixture
def order(tmp_path: Path, app: str) -> BuildOrder:
    context = tmp_path / "source"
    context.mkdir()
    return BuildOrder(context, "Dockerfile", f"norn/{app}:1", app)


def says(order: BuildOrder, *lines: str) -> BuildOrder:
    (order.context / "Dockerfile").write_text("\n".join([f"FROM {IMAGE}", *lines, ""]))
    return order


def until(fact: Callable[[], bool], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while not fact() and time.monotonic() < deadline:
        time.sleep(0.1)
    return fact()


def sleeping(mark: str) -> bool:
    """Returns True if a process of this machine runs `sleep` for `mark` seconds, which only the build in
    question does.
    """
    wanted = f"sleep\0{mark}\0".encode()
    return any(_argv(path) == wanted for path in Path("/proc").glob("[0-9]*/cmdline"))


def _argv(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_output_is_told_while_the_build_runs(images: DockerImages, order: BuildOrder) -> None:
    watch = FakeWatch()

    def stop_when_told() -> None:
        until(lambda: any("one-sign" in line for line in watch.said))
        watch.stop.set("cancelled")

    stopper = threading.Thread(target=stop_when_told)
    stopper.start()
    with pytest.raises(Stopped):
        images.build(says(order, "RUN echo one-$(echo sign); sleep 61.3"), watch.watch)
    stopper.join()
    assert until(lambda: not sleeping("61.3"))


def test_a_build_past_its_limit_is_ended(
    clean_engine: EngineClient, order: BuildOrder, tmp_path: Path, cli: str
) -> None:
    images = DockerImages(clean_engine, tmp_path / "w", BuildLimits(3, 2**28, 1), NoQueue(), docker=cli)
    with pytest.raises(TimedOut, match="the build took longer than its limit of 3 s"):
        images.build(says(order, "RUN sleep 62.3"), FakeWatch().watch)
    assert until(lambda: not sleeping("62.3"))


def test_a_build_ends_with_its_worker(clean_engine: EngineClient, order: BuildOrder, tmp_path: Path, cli: str) -> None:
    says(order, "RUN sleep 63.3")
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, clean_engine.address, str(order.context), order.tag, str(tmp_path / "w"), cli],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    assert until(lambda: sleeping("63.3"))
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert until(lambda: not sleeping("63.3"))


WORKER = """
import sys
from pathlib import Path
from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker.building.builder import BuildLimits
from norn_tasks.adapters.docker.images import DockerImages
from norn_tasks.ports import BuildOrder
from tests.fakes.build_queue import NoQueue
from tests.fakes.stop import FakeWatch
address, context, tag, workspace, cli = sys.argv[1:]
images = DockerImages(EngineClient(address), Path(workspace), BuildLimits(120, 2**28, 1), NoQueue(), docker=cli)
images.build(BuildOrder(Path(context), 'Dockerfile', tag, ''), FakeWatch().watch)
"""


def test_a_build_leaves_no_container(images: DockerImages, order: BuildOrder, clean_engine: EngineClient) -> None:
    mark = order.tag.replace("/", "-")
    with pytest.raises(BuildFailed):
        images.build(says(order, f"RUN echo {mark}; exit 9"), FakeWatch().watch)
    left = clean_engine.ask(lambda client: client.containers(all=True))
    assert [each["Id"] for each in left if mark in each["Command"]] == []


def test_a_failed_build_tells_its_exit_code_and_what_it_said(images: DockerImages, order: BuildOrder) -> None:
    watch = FakeWatch()
    with pytest.raises(BuildFailed, match=r"exit 7.*(exited 7|code: 7)"):
        images.build(says(order, "RUN echo what-went-$(echo wrong); exit 7"), watch.watch)
    assert "what-went-wrong\n" in "".join(watch.said)


def test_an_unknown_base_is_told_with_a_way_out(images: DockerImages, order: BuildOrder) -> None:
    (order.context / "Dockerfile").write_text("FROM localhost:1/nosuch/image:1\n")
    with pytest.raises(BuildFailed):
        images.build(order, FakeWatch().watch)


def test_without_an_engine_the_engine_is_to_blame(order: BuildOrder, tmp_path: Path, cli: str) -> None:
    images = DockerImages(EngineClient(f"unix://{tmp_path}/none.sock"), tmp_path / "w", LIMITS, NoQueue(), docker=cli)
    with pytest.raises(EngineDown):
        images.build(says(order), FakeWatch().watch)


@pytest.mark.parametrize("by", ["tag", "id"])
def test_an_image_of_another_app_is_no_base(images: DockerImages, order: BuildOrder, app: str, by: str) -> None:
    theirs = images.build(says(order), FakeWatch().watch)
    base = theirs.tags[0] if by == "tag" else theirs.id
    other = replace(order, tag=f"norn/{app}x:1", app=f"{app}x")
    (order.context / "Dockerfile").write_text(f"FROM {base}\n")
    with pytest.raises(SourceError, match="an image of another app"):
        images.build(other, FakeWatch().watch)


@pytest.mark.parametrize(
    "line", ["COPY --fr\\om={} / /x", "RUN --mount=type=bind,target=/a\\ b,from={} ls", "COPY --from {} / /x"]
)
def test_an_image_of_another_app_is_not_copied_from(
    images: DockerImages, order: BuildOrder, app: str, line: str
) -> None:
    other = replace(order, tag=f"norn/{app}x:1", app=f"{app}x")
    with pytest.raises(SourceError, match="an image of another app"):
        images.build(says(other, line.format(order.tag)), FakeWatch().watch)


TWO_STAGES = f"FROM {IMAGE} AS build\nRUN echo private > /source\nFROM {IMAGE}\nCOPY --from=build /source /x\n"


@pytest.mark.parametrize(
    "lines", ["FROM {}", "FROM sha256:{}", "ARG A={}\nFROM $A", f"FROM {IMAGE}\nCOPY --from={{}} /source /x"]
)
def test_a_stage_of_another_app_is_not_taken_by_its_id(images: DockerImages, order: BuildOrder, lines: str) -> None:
    (order.context / "Dockerfile").write_text(TWO_STAGES)
    theirs = images.build(order, FakeWatch().watch)
    stage = images.find(next(iter(theirs.stages), theirs.id))
    assert stage is not None
    (order.context / "Dockerfile").write_text(lines.format(stage.id.removeprefix("sha256:")[:8]) + "\n")
    with pytest.raises(SourceError, match="may be the id of an image of another app"):
        images.build(replace(order, tag=f"{order.tag}x", app="mine"), FakeWatch().watch)


def test_a_stage_whose_name_is_an_ids_beginning_is_the_apps_own(images: DockerImages, order: BuildOrder) -> None:
    (order.context / "Dockerfile").write_text(TWO_STAGES.replace("build", "cafe"))
    assert images.build(order, FakeWatch().watch).tags == (order.tag,)


def test_a_stage_that_the_classic_builder_leaves_says_whose_it_is(
    clean_engine: EngineClient, order: BuildOrder, app: str, tmp_path: Path
) -> None:
    images = DockerImages(clean_engine, tmp_path / "w", replace(LIMITS, classic=True), NoQueue())
    (order.context / "Dockerfile").write_text(TWO_STAGES)
    built = images.build(order, FakeWatch().watch)
    stages = [clean_engine.image(stage) for stage in built.stages]
    assert [stage and stage["Config"]["Labels"] for stage in stages] == [{"norn.io/stage": app}]


def test_an_image_that_is_removed_while_the_builder_looks_for_a_cached_step_fails_no_build(
    clean_engine: EngineClient, order: BuildOrder, tmp_path: Path
) -> None:
    """The first build fails with the error that the classic builder gives if another app's image is removed while the
    builder reads that image.
    """
    cli, gone = tmp_path / "docker", f"sha256:{'0' * 64}"
    cli.write_text(
        f'#!/bin/sh\n[ "$1" != build ] || [ -e {tmp_path}/tried ] && exec docker "$@"\ntouch {tmp_path}/tried\n'
        f"echo 'Step 1/2 : FROM {IMAGE}'\necho 'unable to find image \"{gone}\"' >&2\nexit 1\n"
    )
    cli.chmod(0o755)
    limits = replace(LIMITS, classic=True)
    images = DockerImages(clean_engine, tmp_path / "w", limits, NoQueue(), docker=str(cli))
    assert images.build(says(order), FakeWatch().watch).tags == (order.tag,)


@pytest.mark.parametrize("base", ["../containers", "../containers/one"])
def test_a_base_that_is_no_name_is_not_looked_for(images: DockerImages, order: BuildOrder, base: str) -> None:
    (order.context / "Dockerfile").write_text(f"FROM {base}\n")
    with pytest.raises(BuildFailed):
        images.build(order, FakeWatch().watch)


def test_a_published_image_of_another_app_is_no_base(
    clean_engine: EngineClient, order: BuildOrder, app: str, tmp_path: Path, cli: str
) -> None:
    registry = Registry("registry.example:5000")
    images = DockerImages(clean_engine, tmp_path / "w", LIMITS, NoQueue(), docker=cli, registry=registry)
    (order.context / "Dockerfile").write_text("FROM registry.example:5000/norn-us/other:1\n")
    with pytest.raises(SourceError, match="an image of another app"):
        images.build(replace(order, instance="us"), FakeWatch().watch)


def test_a_name_that_is_none_is_the_builders_to_refuse(images: DockerImages, order: BuildOrder) -> None:
    (order.context / "Dockerfile").write_text("FROM busybox..x\n")
    with pytest.raises(BuildFailed):
        images.build(order, FakeWatch().watch)


def test_a_mistake_is_told_by_its_line_in_the_apps_own_file(images: DockerImages, order: BuildOrder) -> None:
    with pytest.raises(BuildFailed, match=r"line 3\b.*NOSUCH"):
        images.build(says(order, "RUN true", "NOSUCH x"), FakeWatch().watch)


def test_an_escape_of_the_files_own_joins_its_lines(images: DockerImages, order: BuildOrder) -> None:
    (order.context / "Dockerfile").write_text(f"# escape=`\nFROM {IMAGE}\nRUN test 1 `\n  = 1\nUSER 1003\n")
    assert images.build(order, FakeWatch().watch).user == "1003"


def test_a_link_out_of_the_source_stays_a_link(images: DockerImages, order: BuildOrder) -> None:
    (order.context / "out").symlink_to("/etc/hostname")
    with pytest.raises(BuildFailed):
        images.build(says(order, "COPY out /out", "RUN test -f /out && test ! -L /out"), FakeWatch().watch)


def test_what_one_app_leaves_in_a_cache_is_not_in_that_of_another(images: DockerImages, order: BuildOrder) -> None:
    """The classic builder has no such caches, and reports that."""
    mark, watch = order.tag.replace("/", "-"), FakeWatch()
    with contextlib.suppress(BuildFailed):
        images.build(says(order, f"RUN --mount=type=cache,target=/c echo {mark}-$((40 + 2)) > /c/x"), FakeWatch().watch)
    other = replace(order, tag=f"{order.tag}x", app="mine")
    with contextlib.suppress(BuildFailed):
        images.build(says(other, f"RUN --mount=type=cache,target=/c : {mark}; cat /c/x || true"), watch.watch)
    assert f"{mark}-42" not in "".join(watch.said)


@pytest.mark.parametrize("text", ["a\n" * 1001, "a" * (256 * 1024 + 1)], ids=["lines", "bytes"])
def test_an_ignore_file_that_keeps_the_docker_command_busy_is_refused(
    images: DockerImages, order: BuildOrder, text: str
) -> None:
    (order.context / ".dockerignore").write_text(text)
    with pytest.raises(SourceError, match="256 KiB or 1000 lines"):
        images.build(says(order), FakeWatch().watch)


def test_an_ignore_file_that_leads_out_is_refused(images: DockerImages, order: BuildOrder) -> None:
    (order.context / ".dockerignore").symlink_to("/etc/hostname")
    with pytest.raises(SourceError, match="points outside the source"):
        images.build(says(order), FakeWatch().watch)


def test_an_image_in_use_stays(images: DockerImages, order: BuildOrder, clean_engine: EngineClient) -> None:
    built = images.build(says(order), FakeWatch().watch)
    made = clean_engine.ask(lambda client: client.create_container(built.id, labels={"norn.io/app": "x"})["Id"])
    try:
        assert (images.remove(built.id), images.find(order.tag) is not None) == (False, True)
    finally:
        DockerEngine(clean_engine).remove(made)


def test_the_stages_that_a_build_leaves_can_be_removed(images: DockerImages, order: BuildOrder) -> None:
    (order.context / "Dockerfile").write_text(
        f"FROM {IMAGE} AS bare\nFROM {IMAGE} AS one\nRUN echo {order.tag} > /x\nFROM {IMAGE}\nCOPY --from=one /x /x\n"
    )
    built = images.build(order, FakeWatch().watch)
    images.remove(built.id)
    assert all(images.remove_stage(stage) for stage in built.stages)
    assert [images.find(stage) for stage in built.stages] == [None for _ in built.stages]
    assert images.find(IMAGE) is not None


def test_an_image_that_a_build_only_says_to_be_its_stage_stays(images: DockerImages, order: BuildOrder) -> None:
    theirs = images.build(says(order, "RUN echo theirs"), FakeWatch().watch)
    mine = replace(order, tag=f"{order.tag}2", app="mine")
    said = f"RUN echo ' ---> {theirs.id[7:19]}'; echo 'Step 1/1 : FROM x'"
    built = images.build(says(mine, said), FakeWatch().watch)
    for stage in built.stages:
        images.remove_stage(stage)
    assert images.find(theirs.id) is not None
    images.remove(built.id)


def test_a_build_that_fills_the_disk_is_ended(
    clean_engine: EngineClient, order: BuildOrder, tmp_path: Path, cli: str
) -> None:
    root = str(clean_engine.ask(lambda client: client.info())["DockerRootDir"])
    least = shutil.disk_usage(root).free - 512 * 2**20
    images = DockerImages(
        clean_engine, tmp_path / "w", BuildLimits(60, 2**28, 1, Least(least, 0)), NoQueue(), docker=cli
    )
    with pytest.raises(DiskFull, match="the build was ended"):
        images.build(
            says(order, "RUN for n in 1 2 3 4 5 6 7 8; do fallocate -l 1G /$n; sleep 1; done; sleep 64.3"),
            FakeWatch().watch,
        )
    assert until(lambda: not sleeping("64.3"))


def test_an_image_over_the_limit_is_refused_and_removed(
    clean_engine: EngineClient, order: BuildOrder, tmp_path: Path, cli: str, app: str
) -> None:
    limits = replace(LIMITS, largest=8 * 2**20)
    images = DockerImages(clean_engine, tmp_path / "w", limits, NoQueue(), docker=cli)
    with pytest.raises(SourceError, match="8 MiB are allowed"):
        images.build(says(order, "RUN head -c 20000000 /dev/zero > /large"), FakeWatch().watch)
    assert (images.find(order.tag), images.of_app(app)) == (None, ())


def test_without_room_nothing_is_built(clean_engine: EngineClient, order: BuildOrder, tmp_path: Path, cli: str) -> None:
    limits = BuildLimits(60, 2**28, 1, Least(2**60, 0))
    images = DockerImages(clean_engine, tmp_path / "w", limits, NoQueue(), docker=cli)
    with pytest.raises(DiskFull, match="there is too little room to build"):
        images.build(says(order), FakeWatch().watch)
