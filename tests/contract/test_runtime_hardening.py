"""The isolation and the limits of a run, tested from inside; they must be the same in the nest and in Incus as in
Docker.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker.engine import DockerEngine
from norn_tasks.adapters.incus.runtime import IncusRuntime
from norn_tasks.adapters.nest.runtime import NestRuntime
from norn_tasks.adapters.nest.trial import CLOSED, PROBE
from norn_tasks.adapters.runtimes.docker import DockerRuntime
from norn_tasks.ports import Run, Runtime
from tests.contract.conftest import IMAGE
from tests.fakes.stop import FakeWatch

LIMITS = r"""
cd /sys/fs/cgroup
v1() { test -e memory/memory.limit_in_bytes; }
echo memory $(v1 && cat memory/memory.limit_in_bytes || cat memory.max)
echo and swap $(v1 && echo $(($(cat memory/memory.memsw.limit_in_bytes) - $(cat memory/memory.limit_in_bytes))) ||
  cat memory.swap.max)
echo processes $(v1 && cat pids/pids.max || cat pids.max)
echo cores $(v1 && cat cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us || cat cpu.max)
for at in / /tmp /dev/shm; do
  echo $at $(grep " $at " /proc/mounts | tail -n 1 | cut -d ' ' -f 4 | tr , '\n' | grep -E '^(ro|rw|no|size)' | sort)
done
ls /dev | grep -vxE 'console|core|init|mqueue|pts|shm' | sort | xargs echo devices
"""
"""A script that prints the limits of its container, by version 1 or version 2 of cgroups. /dev/init is the init process
that the nest and Incus add.
"""
LIMITED = """\
memory 33554432
and swap 0
processes 256
cores 50000 100000
/ ro
/tmp nodev nosuid rw size=32768k
/dev/shm nodev noexec nosuid rw size=65536k
devices fd full null ptmx random stderr stdin stdout tty urandom zero
"""


class Owner:
    """Hooks that record nothing."""

    def created(self, container: str) -> None:
        """Records nothing."""

    def begun(self) -> None:
        """Records nothing."""


@pytest.fixture(params=["docker", "nest", "incus"])
def runtime(request: pytest.FixtureRequest) -> Runtime:
    if request.param == "incus":
        incus: IncusRuntime = request.getfixturevalue("on_incus")
        return incus
    if request.param == "nest":
        nest: NestRuntime = request.getfixturevalue("in_nest")
        return nest
    engine: EngineClient = request.getfixturevalue("clean_engine")
    return DockerRuntime(DockerEngine(engine))


@pytest.fixture
def base(app: str) -> Run:
    return Run(
        name=f"norn-x-{app}", app=app, owner=f"execution:{app}", image=IMAGE, argv=("sh", "-c", PROBE), env={},
        timeout=30, memory=32 * 2**20, cpus=0.5, network="none", grace=0.3,
    )  # fmt: skip


@pytest.mark.parametrize("network", ["none", "bridge"])
def test_a_probe_from_inside_finds_the_same_walls(runtime: Runtime, base: Run, network: str) -> None:
    assert runtime.run(replace(base, network=network), Owner(), FakeWatch().watch).stdout.head.decode() == CLOSED


@pytest.mark.parametrize("network", ["none", "bridge"])
def test_a_run_has_the_same_limits_as_seen_from_inside(runtime: Runtime, base: Run, network: str) -> None:
    ended = runtime.run(replace(base, argv=("sh", "-c", LIMITS), network=network), Owner(), FakeWatch().watch)
    # In the nest (the container in which crun starts runs), the root of a run is an overlay of its own, which also
    # ignores devices and setuid.
    stricter = ("/ ro\n", "/ nodev nosuid ro\n") if isinstance(runtime, NestRuntime) else ("", "")
    assert ended.stdout.head.decode() == LIMITED.replace(*stricter)
