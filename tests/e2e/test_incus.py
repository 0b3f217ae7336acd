"""Cron jobs and functions in instances of a real Incus: the ends of a run, and both engines on one machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import apps
from tests.e2e.incus_world import IncusWorld, incus_world
from tests.incus import POOL, IncusKit, started
from tests.servers import Postgres, allowed, wait_until

pytestmark = pytest.mark.timeout(300)

GREEDY = "x=$(head -c 100000000 /dev/zero | tr '\\\\0' a); echo done"
TELLS = 'test -n \\"$TOKEN\\" && echo token $TOKEN; echo at $NORN_SCHEDULED_AT try $NORN_ATTEMPT; id -u'
LONG = "trap 'echo bye; exit 0' TERM; echo up; sleep 60 & wait"
RUNS = ("incus-tells", "incus-slow", "incus-greedy", "docker-tells")
APPS = (*RUNS, "incus-long", "incus-fn")


@pytest.fixture(scope="module")
def incus() -> IncusKit:
    return started()


@pytest.fixture(scope="module")
def world(incus: IncusKit, postgres: Postgres, private_dir: Path, engine_address: str) -> Iterator[IncusWorld]:
    with incus_world(postgres, private_dir / "incus", incus) as world:
        world.add("incus-tells", TELLS, "secrets: [TOKEN]\n")
        world.add("incus-slow", "echo begun; sleep 60", "timeout: 1\n")
        world.add("incus-greedy", GREEDY, "resources: {memory: 16m}\n")
        world.add("incus-long", LONG, "concurrency: replace\n")
        apps.add_cron(world.stack, "docker-tells", "echo from docker")
        apps.add_function(world.stack, "incus-fn", more="runtime: incus\n")
        world.stack.norn("forge", "incus-tells")
        world.stack.norn("secrets", "set", "incus-tells", "TOKEN", stdin=b"hunter2!")
        world.deploy(*APPS)
        yield world


@pytest.fixture(scope="module")
def ends(world: IncusWorld) -> dict[str, dict[str, Any]]:
    """Runs of several apps together, on both engines: the records of their ends."""
    jobs = {name: int(world.stack.json("cron", "run", name, "--detach")["job"]) for name in RUNS}
    return {name: world.ended(job) for name, job in jobs.items()}


def test_a_run_has_its_output_its_variables_and_no_secret_in_it(
    world: IncusWorld, ends: dict[str, dict[str, Any]]
) -> None:
    shown = world.stack.norn("cron", "logs", "incus-tells", str(ends["incus-tells"]["id"])).stdout.decode()
    assert ends["incus-tells"]["state"] == "succeeded"
    assert "token ***" in shown and "try 1" in shown and "hunter2" not in shown


def test_bad_ends_have_their_causes(ends: dict[str, dict[str, Any]]) -> None:
    found = {name: (ends[name]["state"], ends[name]["cause"]) for name in ("incus-slow", "incus-greedy")}
    assert found == {"incus-slow": ("timed_out", "timed_out"), "incus-greedy": ("oom_killed", "oom_killed")}


def test_each_runtime_is_on_its_engine_and_why_says_so(world: IncusWorld, ends: dict[str, dict[str, Any]]) -> None:
    rows = world.stack.rows(
        "SELECT DISTINCT app, container_runtime, container_engine FROM jobs"
        " WHERE kind = 'cron-run' AND app IN ('incus-tells', 'docker-tells')"
    )
    engines = {row["container_runtime"]: row["container_engine"] for row in rows}
    assert {row["app"]: row["container_runtime"] for row in rows} == {"incus-tells": "incus", "docker-tells": "docker"}
    assert engines["incus"] == world.runtime.on.identity() != engines["docker"]
    assert ends["docker-tells"]["state"] == "succeeded"
    why = world.stack.norn("why", "incus-greedy").stdout.decode()
    assert "used more than its 16 MiB of memory" in why


def test_a_schedule_fires_in_incus(world: IncusWorld, ends: dict[str, dict[str, Any]]) -> None:
    world.stack.norn("cron", "set-schedule", "incus-tells", "@every 2s")
    fired = "SELECT 1 FROM cron_executions WHERE app = 'incus-tells' AND trigger = 'schedule' AND state = 'succeeded'"
    wait_until(lambda: world.stack.rows(fired), allowed(30), "the schedule has fired")
    world.stack.norn("cron", "pause", "incus-tells")
    assert b"succeeded" in world.stack.norn("cron", "history", "incus-tells").stdout
    assert b"incus-tells" in world.stack.norn("status").stdout


def test_a_newer_run_replaces_one_and_a_cancelled_one_ends_itself(world: IncusWorld) -> None:
    first = world.begin("incus-long")
    second = world.begin("incus-long")
    world.stack.norn("jobs", "cancel", str(second))
    runs = [world.ended(job) for job in (first, second)]
    assert [run["state"] for run in runs] == ["cancelled", "cancelled"]
    assert b"bye" in world.stack.norn("cron", "logs", "incus-long", str(runs[1]["id"])).stdout


def test_a_function_answers(world: IncusWorld) -> None:
    assert world.stack.norn("invoke", "incus-fn", "--body", "hello\n").stdout == b"hello\nfrom POST /\n"


def test_a_run_prints_its_output_and_refuses_a_terminal(world: IncusWorld) -> None:
    assert world.stack.norn("run", "incus-fn", "--", "echo", "one-off").stdout == b"one-off\n"
    refused = world.stack.norn("run", "incus-fn", "--stdin", "--", "cat", check=False)
    assert b"with runtime: incus cannot have a terminal" in refused.stderr


def test_nothing_is_left_and_a_purge_takes_the_images(world: IncusWorld, ends: dict[str, dict[str, Any]]) -> None:
    """An instance whose run has ended has lost its owner."""
    runtime = world.runtime
    image = next(each for each in world.images() if each["properties"]["norn.app"] == "incus-slow")
    owner = f"execution:{ends['incus-slow']['id']}"
    document = {
        "name": f"norn-x-orphan-{runtime.on.instance}", "type": "container", "profiles": [],
        "source": {"type": "image", "fingerprint": image["fingerprint"]},
        "devices": {"root": {"type": "disk", "path": "/", "pool": POOL}},
        "config": {"user.norn.instance": runtime.on.instance, "user.norn.owner": owner},
    }  # fmt: skip
    runtime.on.api.change("POST", "/1.0/instances", document)
    world.stack.norn("teardown", "incus-greedy", "--purge", "--confirm", "incus-greedy")
    assert "incus-greedy" not in {each["properties"]["norn.app"] for each in world.images()}
    wait_until(lambda: world.left() == [], allowed(60), "no instance is left")
