"""The promises of managing volumes, tested on the fake and on a real engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker.engine import DockerEngine
from norn_tasks.adapters.docker.volumes import DockerVolumes
from norn_tasks.adapters.runtimes.docker import DockerRuntime
from norn_tasks.domain.errors import Conflict, InvalidRequest
from norn_tasks.domain.infraspec import Volume
from norn_tasks.ports import Mount, Run, Volumes
from tests.contract.conftest import IMAGE
from tests.fakes.stop import FakeWatch
from tests.fakes.volumes import FakeVolumes

INSTANCE = "abc123"


class _Nobody:
    """Hooks of a run that record nothing."""

    def created(self, container: str) -> None:
        """Records nothing."""

    def begun(self) -> None:
        """Records nothing."""


@dataclass
class World:
    """Volumes on an engine that allows the host directory `root`. `use` starts a container with an app's volume; a
    second call stops it.
    """

    volumes: Volumes
    root: Path
    use: Callable[[Mount], Callable[[], None]]


@pytest.fixture(params=["fake", "docker"])
def world(request: pytest.FixtureRequest, tmp_path: Path, app: str) -> Iterator[World]:
    root = tmp_path / "allowed"
    root.mkdir()
    if request.param == "fake":
        fake = FakeVolumes(roots=(root,))

        def mark(_mount: Mount) -> Callable[[], None]:
            fake.used.add(app)
            return fake.used.clear

        yield World(fake, root, mark)
        return
    engine: EngineClient = request.getfixturevalue("clean_engine")
    volumes = DockerVolumes(engine, INSTANCE, [root])

    def use(mount: Mount) -> Callable[[], None]:
        binds = {mount.source: {"bind": mount.target, "mode": "rw"}}
        made = engine.ask(
            lambda client: client.create_container(
                IMAGE, labels={"norn.io/app": app}, host_config=client.create_host_config(binds=binds)
            )["Id"]
        )
        return lambda: engine.take_away(made)

    yield World(volumes, root, use)
    engine.ask(lambda client: client.prune_containers(filters={"label": f"norn.io/app={app}"}))
    volumes.remove(app)


def claim(name: str = "data", path: str = "/data") -> Volume:
    return Volume(name=name, mount_path=path, size=2**30)


def directory(path: Path) -> Volume:
    return Volume(name="files", mount_path="/files", host_path=str(path))


def test_a_volume_is_made_and_mounted_where_the_spec_says(world: World, app: str) -> None:
    mounts = world.volumes.ready(app, [claim(), claim("more", "/more")])
    assert [each.target for each in mounts] == ["/data", "/more"]
    assert world.volumes.of_app(app) == ("data", "more")


def test_making_it_again_answers_the_same(world: World, app: str) -> None:
    assert world.volumes.ready(app, [claim()]) == world.volumes.ready(app, [claim()])


def test_two_apps_have_volumes_of_their_own(world: World, app: str) -> None:
    mine, theirs = world.volumes.ready(app, [claim()]), world.volumes.ready(f"{app}-b", [claim()])
    world.volumes.remove(f"{app}-b")
    assert (mine[0].source != theirs[0].source, world.volumes.of_app(app)) == (True, ("data",))


def test_removing_takes_all_of_the_app_and_none_is_fine(world: World, app: str) -> None:
    world.volumes.ready(app, [claim(), claim("more", "/more")])
    assert [world.volumes.remove(app), world.volumes.remove(app), world.volumes.of_app(app)] == [
        ("data", "more"),
        (),
        (),
    ]


def test_a_used_volume_stays(world: World, app: str) -> None:
    (mount,) = world.volumes.ready(app, [claim()])
    ended = world.use(mount)
    with pytest.raises(Conflict):
        world.volumes.remove(app)
    ended()
    assert world.volumes.remove(app) == ("data",)


def test_an_allowed_root_is_mounted_as_it_is(world: World, app: str) -> None:
    (mount,) = world.volumes.ready(app, [directory(world.root)])
    assert (mount, world.volumes.of_app(app)) == (Mount(str(world.root), "/files", host=True), ())


@pytest.mark.parametrize("where", ["elsewhere", "beneath", "missing", "file", "link-out"])
def test_any_other_path_of_the_host_is_refused(world: World, app: str, where: str) -> None:
    """A path below an allowed root is refused too: an app that can write there could put a link in its place after the
    check.
    """
    outside = world.root.parent / "elsewhere"
    outside.mkdir()
    (world.root / "beneath").mkdir()
    (world.root / "file").write_text("a socket would be one too")
    (world.root / "link-out").symlink_to(outside)
    path = outside if where == "elsewhere" else world.root / where
    with pytest.raises(InvalidRequest, match=r"volumes\.files\.hostPath: .* is not a directory that may be mounted"):
        world.volumes.ready(app, [directory(path)])


def test_a_root_that_is_gone_is_told(world: World, app: str) -> None:
    world.root.rmdir()
    with pytest.raises(InvalidRequest, match="there is no directory"):
        world.volumes.ready(app, [directory(world.root)])


def test_what_one_run_writes_the_next_one_reads(clean_engine: EngineClient, app: str) -> None:
    volumes, runtime = DockerVolumes(clean_engine, INSTANCE), DockerRuntime(DockerEngine(clean_engine, INSTANCE))
    run = Run(
        name=f"norn-x-{app}", app=app, owner=f"execution:{app}", image=IMAGE, argv=("sh", "-c", "echo kept >> /data/a"),
        env={}, timeout=30, memory=32 * 2**20, cpus=1, network="none", mounts=volumes.ready(app, [claim()]),
    )  # fmt: skip
    try:
        runtime.run(run, _Nobody(), FakeWatch().watch)
        ended = runtime.run(replace(run, argv=("cat", "/data/a")), _Nobody(), FakeWatch().watch)
        assert ended.stdout.head == b"kept\n"
    finally:
        volumes.remove(app)
