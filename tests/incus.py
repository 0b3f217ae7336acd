"""The real Incus of the tests. It is started by the program that NORN_TEST_INCUS names.

The program has the commands `up` (does nothing if Incus runs), `env` (prints the exports for clients), and `kill`
(kills incusd alone with SIGKILL; `up` starts it again). Without the variable the tests of Incus are skipped, each with
this reason.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.incus.api import IncusApi
from norn_tasks.adapters.incus.bridge import Bridge
from norn_tasks.adapters.incus.engine import IncusEngine
from norn_tasks.adapters.incus.images import IncusImages
from norn_tasks.adapters.incus.runtime import IncusRuntime
from norn_tasks.settings import Settings

PROGRAM = "NORN_TEST_INCUS"
REASON = f"needs an Incus: name the program that starts one in {PROGRAM}, docs/incus.md says how"
POOL, BRIDGE = "default", "norn-runs"
LINK = "10.178.0.1"
"""The address of this machine on its network link to the tests' Incus. Instances reach the servers that listen at this
address.
"""


class IncusKit:
    """A running Incus: the one that the tests share, or with `cache` (a directory) one for a single test."""

    def __init__(self, program: str, cache: str = "") -> None:
        self._program = program
        # Instances belong to other users, who may not enter a home directory.
        shared = os.environ.get("NORN_INCUS_CACHE", "/var/tmp/norn-incus")
        self.cache = cache or shared
        self._environment = {**os.environ, "NORN_INCUS_CACHE": self.cache, "NORN_INCUS_UPLINK": "" if cache else "1"}
        self.up()
        self.socket = _exports(self.run("env"))["INCUS_SOCKET"]

    def up(self) -> None:
        """Starts Incus if it does not run."""
        with _alone():
            self.run("up")

    def kill(self) -> None:
        """Kills incusd with SIGKILL; instances continue."""
        self.run("kill")

    def run(self, *argv: str) -> str:
        """Runs the program; returns what it prints."""
        done = subprocess.run(
            [self._program, *argv], capture_output=True, text=True, timeout=900, check=False, env=self._environment
        )
        assert done.returncode == 0, f"{self._program} {' '.join(argv)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout

    def runtime(self, docker: EngineClient, instance: str = "", path: str = "") -> IncusRuntime:
        """Returns a runtime of a control plane of this name; `path`: another socket that leads to this Incus."""
        api = IncusApi(path or self.socket, "norn-tests")
        engine = IncusEngine(api, instance)
        images = IncusImages(api, docker, Settings().incus_init, pool=POOL, instance=instance, workspace=None)
        return IncusRuntime(engine, images, Bridge(api, BRIDGE), POOL)


def started(cache: str = "") -> IncusKit:
    """Starts the Incus that the variable names; skips the test if the variable is not set."""
    program = os.environ.get(PROGRAM)
    if not program:
        pytest.skip(REASON)
    return IncusKit(program, cache)


@contextmanager
def own_incus() -> Iterator[IncusKit]:
    """Starts an Incus that no other test uses, and removes it with all that is in it."""
    kit = started(f"/var/tmp/norn-incus-{uuid.uuid4().hex[:8]}")
    try:
        yield kit
    finally:
        kit.run("reset")
        shutil.rmtree(kit.cache, ignore_errors=True)


def volumes(runtime: IncusRuntime, kind: str) -> list[str]:
    """Returns the names of the storage volumes of a kind: "container" or "image"."""
    path = f"/1.0/storage-pools/{POOL}/volumes/{kind}"
    listed = [runtime.on.api.get(path, recursion="1", project=project) for project in ("default", "norn-tests")]
    return sorted({each["name"] for found in listed for each in found})


def swept(runtime: IncusRuntime, app: str) -> None:
    """Removes everything that a test has left of its app."""
    for each in runtime.on.labelled("user.norn.app", app):
        runtime.on.remove(each["name"])


@contextmanager
def _alone() -> Iterator[None]:
    """Lets only one process of the tests start Incus at a time."""
    with (Path(tempfile.gettempdir()) / "norn-test-incus.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _exports(text: str) -> dict[str, str]:
    words = [word for line in text.splitlines() for word in shlex.split(line) if "=" in word]
    return dict(word.split("=", 1) for word in words)
