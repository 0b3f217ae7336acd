"""The ways of running one program in a fresh, hardened container: with Norn's adapters, and without Norn."""

from __future__ import annotations

import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import docker
from docker import APIClient

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker.engine import DockerEngine
from norn_tasks.adapters.nest.keeper import NestKeeper
from norn_tasks.adapters.nest.program import sandbox
from norn_tasks.adapters.runtimes.docker import DockerRuntime
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.ports import Run, Runtime, Watch
from norn_tasks.worker.leases import JobStop
from tests.nest import runtime_of

MEMORY = 64 * 2**20
PROGRAM = ("echo", "hello")
NODE, NODE_PROGRAM, NODE_MEMORY = "node:20-alpine", ("node", "-e", "console.log('hello')"), 256 * 2**20
_CRUN = """
import json, subprocess, sys, time
from pathlib import Path
bundle = Path("/run/nest/bench"); bundle.mkdir(exist_ok=True)
(bundle / "config.json").write_text(sys.argv[1])
began = time.perf_counter()
done = subprocess.run(["crun", "--cgroup-manager", "cgroupfs", "run", "-b", str(bundle), "bench"], capture_output=True)
assert done.stdout == b"hello\\n", done
print((time.perf_counter() - began) * 1000)
"""


class _Owner:
    def created(self, container: str) -> None:
        """Notes nothing."""

    def begun(self) -> None:
        """Notes nothing."""


@dataclass
class Ways:
    """Everything that the ways of running a program need: the engine, a nest (the container in which crun starts runs),
    and the image by its id.
    """

    engine: EngineClient
    keeper: NestKeeper
    image: str
    program: tuple[str, ...] = PROGRAM
    memory: int = MEMORY

    def all(self) -> dict[str, Callable[[], float]]:
        """Returns a function for each way, which runs the program once and returns its milliseconds."""
        nest, through = runtime_of(self.keeper, self.engine), DockerRuntime(DockerEngine(self.engine, "bench"))
        return {
            "docker run --rm": timed(self._docker_run),
            "docker SDK": timed(self._sdk),
            "crun run, in the nest": self._crun,
            "Norn's docker runtime": timed(lambda: self._by(through)),
            "Norn's nest runtime": timed(lambda: self._by(nest)),
        }

    def _docker_run(self) -> None:
        words = (
            "docker run --rm --network none --cap-drop ALL --security-opt no-new-privileges --read-only --init "
            f"--pids-limit 256 --memory {self.memory} --memory-swap {self.memory} --cpus 1 --tmpfs /tmp"
        )
        done = subprocess.run([*words.split(), self.image, *self.program], capture_output=True, check=True)
        assert done.stdout == b"hello\n"

    def _sdk(self) -> None:
        said = _sdk_client().containers.run(
            self.image, list(self.program), remove=True, network_mode="none", cap_drop=["ALL"], read_only=True,
            init=True, security_opt=["no-new-privileges"], pids_limit=256, mem_limit=self.memory,
            memswap_limit=self.memory, nano_cpus=10**9, tmpfs={"/tmp": ""},
        )  # fmt: skip
        assert said == b"hello\n"

    def _crun(self) -> float:
        """Returns the milliseconds of crun alone, by the clock inside the nest, for the OCI configuration that Norn
        writes.
        """
        name = self.image.removeprefix("sha256:")
        facts = {"user": {"uid": 0, "gid": 0, "groups": [0], "home": ""}, "env": [], "directory": "/", "volumes": []}
        wanted = {
            "id": "bench", "hostname": "bench", "env": {}, "argv": list(self.program), "memory": self.memory,
            "cpus": 1, "network": "none", "hosts": {},
        }  # fmt: skip
        document = sandbox.described(wanted, facts, f"/run/nest/roots/{name}", Path("/etc"), None, "")
        document["annotations"] = {}
        document["linux"]["cgroupsPath"] = "/nest/bench"

        def run(client: APIClient) -> float:
            made = client.exec_create(self.keeper.name, ["python3", "-c", _CRUN, json.dumps(document)])["Id"]
            return float(client.exec_start(made))

        return self.engine.ask(run)

    def _by(self, runtime: Runtime) -> None:
        run = Run(
            name=f"norn-x-bench-{uuid.uuid4().hex[:8]}", app="bench", owner="execution:bench", image=self.image,
            argv=self.program, env={}, timeout=60, memory=self.memory, cpus=1.0, network="none", logged=False,
        )  # fmt: skip
        ended = runtime.run(run, _Owner(), Watch(Fence(0, 0), lambda _: None, JobStop()))
        assert (ended.exit_code, ended.stdout.head) == (0, b"hello\n"), ended


def timed(act: Callable[[], object]) -> Callable[[], float]:
    """Returns a function that calls `act` and returns the milliseconds that the call took."""

    def measure() -> float:
        began = time.perf_counter()
        act()
        return (time.perf_counter() - began) * 1000

    return measure


def _sdk_client() -> docker.DockerClient:
    global _client
    if _client is None:
        _client = docker.DockerClient(base_url=os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
    return _client


_client: docker.DockerClient | None = None
