"""`python -m tests.benchmarks.incus`: compares a run in Incus with the same run in Docker, in turns; prints a table and
a JSON object.

Both go through Norn's runtimes, with the limits of a cron run. The parts are: until the container is created; until its
code runs, by the engine's clock; until the worker has its output; until everything of it is removed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker.engine import DockerEngine
from norn_tasks.adapters.runtimes.docker import DockerRuntime
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.ports import Run, Runtime, Watch
from norn_tasks.worker.leases import JobStop
from tests.incus import PROGRAM, IncusKit

PARTS = ("create", "start", "answer", "removal", "whole")
WORDS = {"busybox:stable": ("echo", "hello"), "node:20-alpine": ("node", "-e", "console.log('hello')")}


@dataclass
class Moments:
    """When one run reached each of its parts, in seconds of the machine's clock. The methods are the hooks that record
    these times.
    """

    began: float = field(default_factory=time.time)
    created_at: float = 0.0
    begun_at: float = 0.0
    said_at: float = 0.0

    def created(self, container: str) -> None:
        self.created_at = time.time()

    def begun(self) -> None:
        self.begun_at = time.time()

    def said(self, text: str) -> None:
        """Records when the first output arrived."""
        self.said_at = self.said_at or time.time()


def measured(runtime: Runtime, image: str, network: str, n: int) -> dict[str, float]:
    """Returns the milliseconds of each part of one run."""
    moments = Moments()
    run = Run(
        name=f"norn-bench-{os.getpid()}-{n}", app="bench", owner="execution:bench", image=image, argv=WORDS[image],
        env={}, timeout=60, memory=256 * 2**20, cpus=1.0, network=network,
    )  # fmt: skip
    ended = runtime.run(run, moments, Watch(Fence(0, 0), moments.said, JobStop()))
    done = time.time()
    assert (ended.exit_code, ended.stdout.head) == (0, b"hello\n"), ended
    assert ended.started_at is not None
    started = ended.started_at.timestamp()
    seconds = (
        moments.created_at - moments.began,
        started - moments.begun_at,
        moments.said_at - started,
        done - moments.said_at,
        done - moments.began,
    )
    return {part: each * 1000 for part, each in zip(PARTS, seconds, strict=True)}


def main() -> None:
    """Measures both runtimes in turns, and prints medians, with the smallest value in brackets."""
    asked = _asked()
    docker = EngineClient(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
    incus = IncusKit(os.environ[PROGRAM]).runtime(docker, "bench")
    runtimes: dict[str, Runtime] = {"incus": incus, "docker": DockerRuntime(DockerEngine(docker, "bench"))}
    found: dict[str, list[dict[str, float]]] = {}
    for image in asked.images:
        for runtime in runtimes.values():
            measured(runtime, image, "none", 0)  # pulls the image, and starts services that start at their first use
        for n in range(asked.rounds):
            for network in ("none", "bridge"):
                for name, runtime in runtimes.items():
                    found.setdefault(f"{image}, {name}, {network}", []).append(measured(runtime, image, network, n + 1))
    incus.prune("bench", ())
    print("| run | " + " | ".join(PARTS) + " |\n|---|" + "---|" * len(PARTS))
    for name, rounds in found.items():
        cells = [f"{_of(statistics.median, rounds, part)} ({_of(min, rounds, part)})" for part in PARTS]
        print(f"| {name} | " + " | ".join(cells) + " |")
    medians = {name: {part: _of(statistics.median, rounds, part) for part in PARTS} for name, rounds in found.items()}
    print(json.dumps({"rounds": asked.rounds, "load": os.getloadavg()[0], "ms": medians}))


def _of(pick: Callable[[list[float]], float], rounds: list[dict[str, float]], part: str) -> int:
    return round(pick([each[part] for each in rounds]))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.incus", description=__doc__)
    parser.add_argument("images", nargs="*", default=list(WORDS), help=f"images to run: {', '.join(WORDS)}")
    parser.add_argument("--rounds", type=int, default=10, help="runs of each kind")
    return parser.parse_args()


if __name__ == "__main__":
    main()
