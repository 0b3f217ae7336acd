"""Kills a worker with SIGKILL at each point of a run in Incus, or incusd at each moment, and returns the result of the
run.

As a program, this module is the worker: `python -m tests.incus_kills SOCKET POINT NAME` performs one run, and dies at
the point.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.incus.api import IncusApi
from norn_tasks.adapters.incus.bridge import Bridge
from norn_tasks.adapters.incus.engine import IncusEngine
from norn_tasks.adapters.incus.images import IncusImages
from norn_tasks.adapters.incus.runtime import IncusRuntime
from norn_tasks.domain.errors import EngineDown, NornError
from norn_tasks.domain.jobs.execution import ContainerExit
from norn_tasks.ports import Run, Watch
from tests.fakes.stop import FakeWatch

POINTS = ("created", "begun", "running")
PROGRAM = ("sh", "-c", "echo start; sleep 1; echo end; exit 5")
WHOLE = (5, b"start\nend\n")


def run_of(name: str, app: str = "kills") -> Run:
    """Returns the run during which processes are killed."""
    return Run(
        name=f"norn-x-{name}", app=app, owner=f"execution:{name}", image="busybox:stable", argv=PROGRAM, env={},
        timeout=60, memory=32 * 2**20, cpus=1, network="none",
    )  # fmt: skip


def runtime_at(path: str, pool: str = "default") -> IncusRuntime:
    """Returns a runtime on the Incus at a socket."""
    api = IncusApi(path, "norn-tests")
    docker = EngineClient(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock")
    images = IncusImages(api, docker, None, pool=pool, instance="", workspace=None)
    return IncusRuntime(IncusEngine(api), images, Bridge(api, "norn-runs"), pool)


@dataclass
class Dying:
    """The hooks of a worker that kills itself at a point; it prints the id of its instance first."""

    point: str

    def created(self, container: str) -> None:
        print(container, flush=True)
        self.reached("created")

    def begun(self) -> None:
        self.reached("begun")

    def reached(self, point: str) -> None:
        """Kills this process if the point is the chosen one."""
        if point == self.point:
            os.kill(os.getpid(), signal.SIGKILL)


def killed_worker(path: str, point: str, name: str) -> str:
    """Runs a worker that dies at a point; returns the instance that it leaves."""
    argv = [sys.executable, "-m", "tests.incus_kills", path, point, name]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout.strip()


def taken_over(runtime: IncusRuntime, container: str, name: str) -> ContainerExit | None:
    """Adopts the instance that a worker has left behind; returns how the run ended, or None if the instance no longer
    exists.
    """
    return runtime.adopt(run_of(name), container, FakeWatch(token=2).watch)


@dataclass
class Played:
    """The result of a run during which incusd was killed."""

    ended: ContainerExit | None = None
    error: NornError | None = None
    begun: int = 0

    @property
    def right(self) -> bool:
        """Returns True if the result is right: the code ran once and all output is there, or the code never began."""
        if self.ended is not None and self.begun == 1:
            return (self.ended.exit_code, self.ended.stdout.head) == WHOLE
        return isinstance(self.error, EngineDown) and self.begun == 0


class Counting:
    """Hooks that count how often code began."""

    def __init__(self, played: Played) -> None:
        self._played = played

    def created(self, container: str) -> None:
        """Records nothing."""

    def begun(self) -> None:
        self._played.begun += 1


def play(runtime: IncusRuntime, name: str, kill: Callable[[], None], delay: float) -> Played:
    """Runs a container and kills incusd after a delay; returns the result."""
    played = Played()
    killer = threading.Thread(target=lambda: (time.sleep(delay), kill()))
    killer.start()
    try:
        played.ended = runtime.run(run_of(name), Counting(played), FakeWatch().watch)
    except NornError as error:
        played.error = error
    killer.join()
    return played


def _die_as_worker(path: str, point: str, name: str) -> None:
    hooks, fake = Dying(point), FakeWatch()
    watch = Watch(fake.watch.fence, lambda _: hooks.reached("running"), fake.watch.stop)
    runtime_at(path).run(run_of(name), hooks, watch)


if __name__ == "__main__":
    _die_as_worker(*sys.argv[1:4])
