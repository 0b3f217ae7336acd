"""Runs `make demo` in a clone on this machine's engine, twice, then `make down`, and checks everything that it promises
to show.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import psycopg2
import pytest

from tests.architecture.source import ROOT
from tests.e2e.demo import SHOWN
from tests.servers import free_port

pytestmark = pytest.mark.timeout(900)

NOT_A_NEWCOMERS = re.compile("NORN_|MAKE|MFLAGS|VIRTUAL_ENV")
"""Variables that `make test` and a shell set, but that a new user does not have."""


class Clone:
    """A clone of the committed files, in which the test runs `make`. `instance` is the name of its control plane."""

    def __init__(self, home: Path) -> None:
        self.home, self.instance = home, ""
        first = free_port(10)
        ports = {"PORT": free_port(), "ROUTER_PORT_FIRST": first, "ROUTER_PORT_LAST": first + 9}
        kept = {name: value for name, value in os.environ.items() if not NOT_A_NEWCOMERS.match(name)}
        self._environment = kept | {f"NORN_{name}": str(port) for name, port in ports.items()}
        subprocess.run(["git", "clone", "--quiet", ROOT, home], check=True)

    def make(self, target: str) -> subprocess.CompletedProcess[str]:
        """Runs `make` to its end, and prints its output and duration."""
        began = time.monotonic()
        try:
            done = subprocess.run(
                ["make", target], cwd=self.home, env=self._environment, text=True, check=False, timeout=400,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
        finally:
            self.instance = self.instance or self._instance()
        print(f"{done.stdout}\nmake {target} took {time.monotonic() - began:.0f} s")
        return done

    def shell(self, line: str) -> None:
        """Runs a shell command that must succeed."""
        subprocess.run(["sh", "-ec", line], cwd=self.home, env=self._environment, check=True, timeout=200)

    def _instance(self) -> str:
        """Returns the name that marks everything this Norn makes on the engine; empty while its database does
        not run.
        """
        stores = self.home / ".norn/run/stores"
        if not (stores / ".s.PGSQL.5432").exists():
            return ""
        connection = psycopg2.connect(host=str(stores), user="norn", dbname="norn")
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT name FROM instance")
                return "".join(cursor.fetchone() or ())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def clone(private_dir: Path, engine_address: str) -> Iterator[Clone]:
    """A clone. Afterwards all that was started in it is stopped and removed from the engine."""
    clone = Clone(private_dir / "demo")
    try:
        yield clone
    finally:
        clone.shell("test ! -e .norn/env || { . .norn/env; norn down --all; }")
        if clone.instance:
            _remove_from_engine(engine_address, clone.instance)


def _remove_from_engine(address: str, instance: str) -> None:
    client = docker.DockerClient(base_url=address)
    label = f"norn.io/instance={instance}"
    for container in client.containers.list(all=True, ignore_removed=True, filters={"label": label}):
        container.remove(force=True)
    for image in client.images.list(filters={"label": label}):
        client.images.remove(str(image.id), force=True)
    client.close()


@pytest.fixture(scope="module")
def first(clone: Clone) -> subprocess.CompletedProcess[str]:
    """The first `make demo`, which installs Norn in the clone."""
    return clone.make("demo")


@pytest.fixture(scope="module")
def second(clone: Clone, first: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    """The second `make demo`, on a running Norn to which another version of hello-web was uploaded in between."""
    clone.shell(". .norn/env; cp -R examples/hello-web .norn/mine; echo 2 >.norn/mine/VERSION; norn deploy .norn/mine")
    return clone.make("demo")


def test_it_succeeds(first: subprocess.CompletedProcess[str]) -> None:
    assert first.returncode == 0, first.stdout[-3000:]


@pytest.mark.parametrize("what", SHOWN)
def test_it_shows(first: subprocess.CompletedProcess[str], what: str) -> None:
    assert re.search(SHOWN[what], first.stdout), first.stdout


def test_it_leaves_the_checkout_as_it_was(clone: Clone, first: subprocess.CompletedProcess[str]) -> None:
    changed = subprocess.run(["git", "status", "--short"], cwd=clone.home, capture_output=True, text=True, check=True)
    assert changed.stdout == ""


def test_a_second_one_succeeds_on_the_norn_that_runs(second: subprocess.CompletedProcess[str]) -> None:
    assert second.returncode == 0, second.stdout[-3000:]
    # Open ports of this machine are reported each time; nothing else is prepared, installed or started.
    said = [line for line in second.stdout.splitlines() if "containers reach this machine's metadata" not in line]
    assert said[0].startswith("Norn runs at http://127.0.0.1:")


@pytest.mark.usefixtures("second")
def test_down_stops_it(clone: Clone) -> None:
    down = clone.make("down")
    assert (down.returncode, "Norn has stopped." in down.stdout) == (0, True)
