"""Compares a cold run through Norn's runtime with `docker run --rm` of the same program, in turns, on the same engine
and image.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker.engine import DockerEngine
from norn_tasks.adapters.runtimes.docker import DockerRuntime
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.ports import Run, Watch
from norn_tasks.worker.leases import JobStop

ROUNDS = 10


class _Hooks:
    def created(self, container: str) -> None:
        """Records nothing: writing the ledger is measured by another benchmark."""

    def begun(self) -> None:
        """Records nothing."""


def _norn(runtime: DockerRuntime, n: int) -> None:
    run = Run(
        name=f"norn-bench-{os.getpid()}-{n}", app="bench", owner="execution:bench", image="busybox:stable",
        argv=("echo", "hello"), env={}, timeout=30, memory=64 * 2**20, cpus=1.0, stdin=b"", max_output=1024,
        logged=False,
    )  # fmt: skip
    ended = runtime.run(run, _Hooks(), Watch(Fence(0, 0), lambda _: None, JobStop()))
    assert (ended.exit_code, ended.stdout.head) == (0, b"hello\n")


def _docker() -> None:
    argv = ["docker", "run", "--rm", "--memory", "64m", "--cap-drop", "ALL", "--read-only", "busybox:stable"]
    assert subprocess.run([*argv, "echo", "hello"], capture_output=True, check=True).stdout == b"hello\n"


def _seconds(do: Callable[[], None]) -> float:
    start = time.perf_counter()
    do()
    return time.perf_counter() - start


def test_cold_run_beside_docker_run() -> None:
    runtime = DockerRuntime(
        DockerEngine(EngineClient(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")), "bench")
    )
    ours, theirs = [], []
    for n in range(ROUNDS):
        theirs.append(_seconds(_docker))
        ours.append(_seconds(lambda n=n: _norn(runtime, n)))  # type: ignore[misc]
    norn, docker = statistics.median(ours), statistics.median(theirs)
    print(f"\ncold run, median of {ROUNDS}: norn {norn * 1000:.0f} ms, docker run {docker * 1000:.0f} ms, "
          f"ratio {norn / docker:.2f}")  # fmt: skip
