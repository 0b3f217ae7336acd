"""Workers that are frozen between creating a container and starting it, until others have ended their jobs.

In each round, a call and a deploy are claimed by workers that freeze themselves at a failpoint. A second worker takes
each job over after its lease has expired, and ends it. The engine's list of started containers is the evidence.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import docker
import httpx

from tests.e2e import apps
from tests.e2e.stack import Stack
from tests.servers import allowed, wait_until

ENVIRONMENT = {
    "NORN_LEASE_SECONDS": "2", "NORN_HEARTBEAT_SECONDS": "0.5", "NORN_SELF_STOP_SECONDS": "1.5",
    "NORN_WORKERS_DEPLOY": "1", "NORN_WORKERS_INVOKE": "4",
}  # fmt: skip
POINTS = ("created", "recorded", "begun")
COUNTS = 'FROM busybox:stable\nCMD ["sh", "-c", "echo $NORN_EXECUTION_ID >> /data/runs; sleep 0.3"]\n'
VOLUME = "volumes: [{name: data, mountPath: /data, size: 1g}]\n"
STEPS = {"invoke": "run-container", "deploy": "test-image"}


def frozen(pid: int) -> bool:
    """Returns True if a process is stopped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except FileNotFoundError:
        return False


def children(pid: int) -> list[int]:
    """Returns the ids of a process's children."""
    return [int(each) for path in Path(f"/proc/{pid}/task").glob("*/children") for each in path.read_text().split()]


@dataclass
class Rounds:
    """Rounds at one failpoint; `started` counts the containers that the engine started, by owner."""

    stack: Stack
    point: str
    started: dict[str, int] = field(default_factory=dict)
    states: list[str] = field(default_factory=list)

    def prepare(self) -> None:
        """Deploys both apps, and starts a second worker for each class, which freezes at the failpoint."""
        apps.deploy_function(self.stack, "counts", COUNTS, VOLUME)
        tested = "app: tested\nrole: function\nbuild: {test: 'sleep 0.3; echo tested'}\n"
        self.stack.add_app("tested", tested, {"Dockerfile": "FROM busybox:stable\n"})
        self.stack.norn("forge", "tested")
        for name, step in STEPS.items():
            self.stack.spawn(
                name, f"{name}-zombie", NORN_TEST_BUILD="1", NORN_FAILPOINT=f"{step}:{self.point}:stop"
            )  # fmt: skip
        told = "SELECT 1 FROM workers WHERE name LIKE '%%-zombie@test' HAVING count(*) = 2"
        wait_until(lambda: self.stack.rows(told), allowed(60), "the workers that will freeze are there")

    def play(self) -> None:
        """Plays one round: both jobs are claimed by the workers that freeze, ended by the others, and then the frozen
        ones continue.
        """
        since = time.time()
        for name in STEPS:
            self._signal(name, signal.SIGSTOP)
        jobs = [self._call(), self._deploy()]
        for name in STEPS:
            wait_until(lambda name=name: self._frozen(f"{name}-zombie"), allowed(30), f"{name} is frozen")
        for name in STEPS:
            self._signal(name, signal.SIGCONT)
        for job in jobs:
            row = self.stack.await_state(job, ["succeeded", "failed", "error", "dead", "expired"], allowed(60))
            self.states.append(f"{row['kind']} {row['state']}")
        for name in STEPS:
            self._signal(f"{name}-zombie", signal.SIGCONT)
        wait_until(self._settled, allowed(30), "nothing of the round is left on the engine")
        self._count(since, jobs)

    def _call(self) -> int:
        headers = {"Authorization": f"Bearer {(self.stack.home / 'token').read_text().strip()}",
                   "Prefer": "respond-async"}  # fmt: skip
        return int(httpx.post(f"{self.stack.url}/fn/counts", headers=headers, timeout=30).json()["job"])

    def _deploy(self) -> int:
        return int(self.stack.json("deploy", "tested", "--detach")["job"])

    def _signal(self, name: str, number: int) -> None:
        pid = self.stack.processes[name].pid
        for each in (pid, *children(pid)):
            self._send(each, number)

    @staticmethod
    def _send(pid: int, number: int) -> None:
        os.kill(pid, number)

    def _frozen(self, name: str) -> bool:
        pid = self.stack.processes[name].pid
        return any(frozen(each) for each in (pid, *children(pid)))

    def _settled(self) -> bool:
        client = docker.DockerClient(base_url=self.stack.environment.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
        instance = self.stack.rows("SELECT name FROM instance")[0]["name"]
        listed = client.containers.list(
            all=True, ignore_removed=True, filters={"label": f"norn.io/instance={instance}"}
        )
        client.close()
        return not listed

    def _count(self, since: float, jobs: list[int]) -> None:
        client = docker.DockerClient(base_url=self.stack.environment.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
        ours = f"norn.io/instance={self.stack.rows('SELECT name FROM instance')[0]['name']}"
        for job in jobs:
            chosen = {"type": "container", "event": "start", "label": [f"norn.io/job={job}", ours]}
            events = client.api.events(since=int(since) - 1, until=int(time.time()) + 1, filters=chosen, decode=True)
            self.started[f"job {job}"] = len(list(events))
        client.close()

    def runs_written(self) -> list[str]:
        """Returns the ids of the executions whose code has written to the volume, one entry per run."""
        rows = self.stack.rows("SELECT name FROM instance")
        volume = f"norn-{rows[0]['name']}-counts.data"
        client = docker.DockerClient(base_url=self.stack.environment.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
        out = client.containers.run("busybox:stable", ["cat", "/data/runs"], remove=True,
                                    volumes={volume: {"bind": "/data", "mode": "ro"}})  # fmt: skip
        client.close()
        return str(out.decode()).split()
