"""A complete Norn with an Incus next to Docker, and small apps that run in instances of Incus."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.incus.runtime import IncusRuntime
from tests.e2e import apps
from tests.e2e.conftest import clean_up, new_stack
from tests.e2e.stack import Stack
from tests.incus import IncusKit
from tests.servers import Broker, Postgres, allowed, wait_until

ENDS = ("succeeded", "failed", "error", "dead", "cancelled", "expired")
SHORT = {"NORN_LEASE_SECONDS": "4", "NORN_HEARTBEAT_SECONDS": "1", "NORN_SELF_STOP_SECONDS": "3"}
PROJECT = "norn-tests"


@dataclass
class IncusWorld:
    """A Norn whose workers have both runtimes."""

    stack: Stack
    kit: IncusKit
    docker: EngineClient
    broker: Broker

    @property
    def runtime(self) -> IncusRuntime:
        """The runtime with the configuration of this Norn's workers."""
        return self.kit.runtime(self.docker, str(self.stack.rows("SELECT name FROM instance")[0]["name"]))

    def deploy(self, *names: str, within: float = 60) -> None:
        """Forges and deploys apps together; each deploy must end within `within` seconds."""
        for name in names:
            self.stack.norn("forge", name)
        jobs = [int(self.stack.json("deploy", name, "--detach")["job"]) for name in names]
        for job in jobs:
            row = self.stack.await_state(job, ENDS, allowed(within))
            assert row["state"] == "succeeded", row["error"]

    def add(self, name: str, command: str, more: str = "", schedule: str = "0 0 1 1 *") -> str:
        """Writes the directory of a cron app with `runtime: incus`; returns its name."""
        apps.add_cron(self.stack, name, command, f"runtime: incus\n{more}", schedule)
        return name

    def begin(self, name: str) -> int:
        """Requests a run, and waits until its code runs in an instance; returns its job."""
        job = int(self.stack.json("cron", "run", name, "--detach")["job"])
        wait_until(lambda: self.begun(job), allowed(40), f"the run of {name} begins")
        return job

    def begun(self, job: int) -> bool:
        """Returns True if the code of a job runs."""
        row = self.stack.job(job)
        if row["begun_at"] is None or row["container"] is None:
            return False
        return any(each.id == row["container"] and each.running for each in self.runtime.on.containers())

    def ended(self, job: int) -> dict[str, Any]:
        """Waits for the end of a run; returns its record."""
        self.stack.await_state(job, ENDS, allowed(60))
        return self.stack.rows("SELECT * FROM cron_executions WHERE job_id = %s", job)[0]

    def left(self) -> list[str]:
        """Returns the instances of this control plane."""
        return [each.name for each in self.runtime.on.containers()]

    def images(self) -> list[dict[str, Any]]:
        """Returns the images of this control plane in Incus."""
        runtime = self.runtime
        listed = runtime.on.api.get("/1.0/images", recursion="1")
        return [each for each in listed if each["properties"].get("norn.instance") == runtime.on.instance]

    def clean(self) -> None:
        """Removes everything of this control plane from both engines."""
        runtime = self.runtime
        for each in runtime.on.containers():
            runtime.on.remove(each.id)
        for image in self.images():
            runtime.on.api.change("DELETE", f"/1.0/images/{image['fingerprint']}")
        clean_up(self.stack)


@contextmanager
def incus_world(postgres: Postgres, home: Path, kit: IncusKit, **environment: str) -> Iterator[IncusWorld]:
    """Starts a Norn with all its processes, and removes everything of it afterwards."""
    home.mkdir()
    broker = Broker(home / "broker")
    docker = EngineClient(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock")
    given = {**SHORT, "NORN_INCUS_SOCKET": kit.socket, "NORN_INCUS_PROJECT": PROJECT, **environment}
    stack = new_stack(postgres, broker.url, home, **given)
    stack.keep_secrets()
    world = IncusWorld(stack, kit, docker, broker)
    try:
        stack.start()
        yield world
    finally:
        stack.stop()
        world.clean()
        broker.stop()
