"""On a Debian without any of the programs, `make demo` installs what is missing, starts the engine and Norn, and shows
everything.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.architecture.source import ROOT
from tests.e2e.demo import SHOWN
from tests.servers import allowed, wait_until
from tests.soak.fresh_machine import FreshMachine, fresh_machine, missing

pytestmark = pytest.mark.timeout(1500)

CHECKOUT = "/root/norn"
INSTALLED = ("docker", "dockerd", "busybox", "git", "curl", "python3")
PAGE = "norn_api/ui/dist"
NEVER = ("redis-server", "valkey-server", "postgres", "psql", "pg_ctl")


@dataclass(frozen=True)
class FirstDemo:
    """The installed programs before the first `make demo`, its exit status, and its output."""

    found: list[str]
    code: int
    said: str


@pytest.fixture(scope="module")
def machine(private_dir: Path) -> Iterator[FreshMachine]:
    """A fresh machine with a checkout of this repository's current commit."""
    if why_not := missing():
        pytest.fail(why_not)
    clone = private_dir / "clone"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    shutil.copytree(ROOT / PAGE, clone / PAGE)  # as deploy/prepare built it: packages of npm may be out of reach there
    with fresh_machine(private_dir / "fresh") as machine:
        shutil.copytree(clone, machine.root / CHECKOUT.lstrip("/"), symlinks=True)
        yield machine


@pytest.fixture(scope="module")
def demo(machine: FreshMachine) -> FirstDemo:
    """The first `make demo` on it."""
    found, began = machine.has(*INSTALLED, *NEVER), time.monotonic()
    done = machine.run("make", "demo", cwd=CHECKOUT, seconds=900, **machine.outside)
    print(f"{done.stdout}\nmake demo on a fresh machine took {time.monotonic() - began:.0f} s")
    return FirstDemo(found, done.returncode, done.stdout)


def _shell(machine: FreshMachine, command: str) -> subprocess.CompletedProcess[str]:
    """Runs a shell command as a user types it after the demo; it has no network, because it does not know the relay."""
    return machine.run("bash", "-c", f". .norn/env && {command}", cwd=CHECKOUT)


def test_it_succeeds_where_nothing_was(demo: FirstDemo) -> None:
    assert demo.code == 0, demo.said[-3000:]
    assert demo.found == []
    assert "That was all of it" in demo.said


@pytest.mark.parametrize("what", SHOWN)
def test_it_shows(demo: FirstDemo, what: str) -> None:
    assert re.search(SHOWN[what], demo.said), demo.said[-6000:]


@pytest.mark.usefixtures("demo")
def test_it_leaves_the_checkout_as_it_was(machine: FreshMachine) -> None:
    assert machine.run("git", "status", "--short", cwd=CHECKOUT).stdout == ""


@pytest.mark.parametrize(
    "what",
    ["installing Debian packages", "making the virtual environment .venv", "installing norn[server]",
     "starting the engine: dockerd", "pulling the image busybox:stable"],
)  # fmt: skip
def test_it_says_each_thing_it_does(demo: FirstDemo, what: str) -> None:
    assert f"prepare: {what}" in demo.said


@pytest.mark.usefixtures("demo")
def test_what_was_missing_is_installed_and_no_store_of_the_system(machine: FreshMachine) -> None:
    assert machine.has(*INSTALLED, *NEVER) == list(INSTALLED)
    assert not (machine.root / "usr/lib/postgresql").exists()


def test_the_stores_are_those_that_come_with_norn(demo: FirstDemo) -> None:
    assert f"making a database cluster with {CHECKOUT}/.venv/lib/" in demo.said
    assert "starting the broker (valkey-server)" in demo.said


@pytest.mark.usefixtures("demo")
def test_the_engine_runs_a_container_of_the_image(machine: FreshMachine) -> None:
    ran = machine.run("docker", "run", "--rm", "--network", "none", "busybox:stable", "echo", "a container")
    assert (ran.returncode, ran.stdout) == (0, "a container\n")


@pytest.mark.usefixtures("demo")
def test_everything_is_well_but_for_the_deploy_that_the_demo_lets_fail(machine: FreshMachine) -> None:
    def checks() -> dict[str, str]:
        health = _shell(machine, "norn -o json health")
        print(health.stdout)
        return {check["name"]: check["status"] for check in json.loads(health.stdout)["checks"]}

    assert {"database", "broker", "engine", "worker:deploy"} <= set(checks())
    wait_until(lambda: {name for name, s in checks().items() if s != "ok"} == {"alerts"}, allowed(30), "all is well")
    alerts = json.loads(_shell(machine, "norn -o json alerts").stdout)
    assert [(alert["app"], alert["kind"]) for alert in alerts["items"]] == [("hello-web", "deploy-failed")]


@pytest.mark.usefixtures("demo")
def test_a_second_preparation_finds_nothing_to_do(machine: FreshMachine) -> None:
    again = machine.run("deploy/prepare", "run", cwd=CHECKOUT)
    assert (again.returncode, again.stdout) == (0, "")


@pytest.mark.usefixtures("demo")
def test_make_down_leaves_the_router_of_the_apps_and_down_all_nothing(machine: FreshMachine) -> None:
    down = machine.run("make", "down", cwd=CHECKOUT, seconds=180)
    assert (down.returncode, "Norn has stopped." in down.stdout) == (0, True)
    assert _modules_left(machine) == {"norn_tasks.embedded.routing.keeper", "norn_tasks.router"}
    assert _shell(machine, "norn down --all").returncode == 0
    assert _modules_left(machine) == set()


def _modules_left(machine: FreshMachine) -> set[str]:
    """Returns the modules that the checkout's interpreter still runs."""
    left = machine.run("sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '").stdout
    return set(re.findall(rf"{CHECKOUT}/.venv/bin/python\S* -m (\S+)", left))
