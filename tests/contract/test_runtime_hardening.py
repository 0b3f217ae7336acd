"""The walls and the limits of a run, tried from inside: the same in Incus as in Docker."""

from __future__ import annotations

from dataclasses import replace

import pytest

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker.engine import DockerEngine
from norn_tasks.adapters.incus.runtime import IncusRuntime
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
ls /dev | grep -vxE 'console|core|mqueue|pts|shm' | sort | xargs echo devices
"""
"""Prints the limits of its container, which both versions of cgroups show."""
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


@pytest.fixture(params=["docker", "incus"])
def runtime(request: pytest.FixtureRequest) -> Runtime:
    if request.param == "incus":
        incus: IncusRuntime = request.getfixturevalue("on_incus")
        return incus
    engine: EngineClient = request.getfixturevalue("clean_engine")
    return DockerRuntime(DockerEngine(engine))


@pytest.fixture
def base(app: str) -> Run:
    return Run(
        name=f"norn-x-{app}", app=app, owner=f"execution:{app}", image=IMAGE, argv=("sh", "-c", PROBE), env={},
        timeout=30, memory=32 * 2**20, cpus=0.5, network="none", grace=0.3,
    )  # fmt: skip


def test_a_probe_from_inside_finds_the_same_walls(runtime: Runtime, base: Run) -> None:
    assert runtime.run(base, Owner(), FakeWatch().watch).stdout.head.decode() == CLOSED


def test_a_run_has_the_same_limits_as_seen_from_inside(runtime: Runtime, base: Run) -> None:
    ended = runtime.run(replace(base, argv=("sh", "-c", LIMITS)), Owner(), FakeWatch().watch)
    assert ended.stdout.head.decode() == LIMITED
