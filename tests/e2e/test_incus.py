"""Cron jobs and functions in instances of a real Incus: how runs end, and both engines on one machine."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from norn_tasks.adapters.docker.client import INSTANCE, labels
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.embedded.paths import data_paths
from tests.e2e import apps
from tests.e2e.incus_world import IncusWorld, incus_world
from tests.e2e.stack import BIN
from tests.incus import POOL, IncusKit, started
from tests.servers import Postgres, allowed, wait_until

pytestmark = pytest.mark.timeout(300)

GREEDY = "exec 2>/dev/null; x=$(head -c 100000000 /dev/zero | tr '\\\\0' a); echo done"
TELLS = 'test -n \\"$TOKEN\\" && echo token $TOKEN; echo at $NORN_SCHEDULED_AT try $NORN_ATTEMPT; id -u'
LONG = "trap 'echo bye; exit 0' TERM; echo up; sleep 60 & wait"
FLOOD = "echo first; head -c 30000000 /dev/zero | tr '\\\\0' a; echo; echo last"
ENDINGS = {
    "slow": ("echo begun; sleep 60", "timeout: 1\n"),
    "greedy": (GREEDY, "resources: {memory: 16m}\n"),
    "flood": (FLOOD, ""),
    "broken": ("echo begun; exit 3", ""),
}
"""The commands and specs of runs that end in special ways; for each one there is an app of both runtimes."""
RUNTIMES = ("incus", "docker")
RUNS = ("incus-tells", "docker-tells", *(f"{runtime}-{each}" for each in ENDINGS for runtime in RUNTIMES))
APPS = (*RUNS, "incus-long", "docker-long", "incus-fn")
RECORDED = ("state", "exit_code", "cause", "sentence", "stdout", "stderr")


@pytest.fixture(scope="module")
def incus() -> IncusKit:
    return started()


@pytest.fixture(scope="module")
def world(incus: IncusKit, postgres: Postgres, private_dir: Path, engine_address: str) -> Iterator[IncusWorld]:
    with incus_world(postgres, private_dir / "incus", incus) as world:
        world.add("incus-tells", TELLS, "secrets: [TOKEN]\n")
        for name, (command, more) in ENDINGS.items():
            for runtime in RUNTIMES:
                apps.add_cron(world.stack, f"{runtime}-{name}", command, f"runtime: {runtime}\n{more}")
        world.add("incus-long", LONG, "concurrency: replace\n")
        apps.add_cron(world.stack, "docker-long", LONG)
        apps.add_cron(world.stack, "docker-tells", "echo from docker")
        apps.add_function(world.stack, "incus-fn", more="runtime: incus\n")
        world.stack.norn("forge", "incus-tells")
        world.stack.norn("secrets", "set", "incus-tells", "TOKEN", stdin=b"hunter2!")
        world.deploy(*APPS, within=120)
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


def plain(text: str, app: str) -> str:
    """Returns a text of the CLI without the parts that differ between apps: name, numbers, times, spaces."""
    numbered = re.sub(r"(sha256:|dir-)\w+|\d[\d.:-]*( (s|min) ago)?", "#", text.replace(app, "APP"))
    return " ".join(numbered.split())


def test_the_output_of_a_flood_has_its_beginning_and_its_end(ends: dict[str, dict[str, Any]]) -> None:
    out = ends["incus-flood"]["stdout"]
    assert (out[:6], out[-6:], len(out) < 2**20) == ("first\n", "\nlast\n", True)


@pytest.mark.parametrize("name", ENDINGS)
def test_a_run_is_recorded_and_explained_as_on_docker(
    world: IncusWorld, ends: dict[str, dict[str, Any]], name: str
) -> None:
    shown = []
    for runtime in RUNTIMES:
        app = f"{runtime}-{name}"
        record = ends[app]
        asked = (("cron", "logs", app, str(record["id"])), ("cron", "history", app), ("why", app), ("status", app))
        texts = [plain(world.stack.norn(*words).stdout.decode(), app) for words in asked]
        shown.append(({key: record[key] for key in RECORDED}, texts))
    (record, texts), (expected, expected_texts) = shown
    assert record == expected
    for shown_text, expected_text in zip(texts, expected_texts, strict=True):
        assert shown_text == expected_text


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


@pytest.fixture
def known_here(world: IncusWorld) -> Iterator[None]:
    """Lets `norn doctor` find a Norn in the data directory, as `norn up` does."""
    lock = data_paths(world.stack.home).lock
    lock.touch()
    yield
    lock.unlink()


def test_doctor_names_what_is_missing(world: IncusWorld, known_here: None, tmp_path: Path) -> None:
    def found(**settings: str) -> list[tuple[str, str]]:
        argv = [str(BIN / "norn"), "-o", "json", "doctor"]
        given = {**world.stack.environment, **settings}
        said = subprocess.run(argv, env=given, capture_output=True, timeout=180, check=False)
        checks = json.loads(said.stdout)["checks"]
        return [(each["status"], each["message"]) for each in checks if each["name"] == "local:incus"]

    ((status, sentence),) = found()
    assert status == "ok" and sentence.startswith("Incus 6."), sentence
    assert f"the pool {POOL} and the bridge" in sentence
    assert found(NORN_INCUS_POOL="nosuch") == [("fail", "Incus has no storage pool nosuch")]
    ((status, sentence),) = found(NORN_INCUS_SOCKET=f"{tmp_path}/none.sock")
    assert (status, "does not answer" in sentence) == ("fail", True)


def test_runs_of_both_engines_hold_the_memory_of_one_machine(world: IncusWorld) -> None:
    jobs = [int(world.stack.json("cron", "run", f"{each}-long", "--detach")["job"]) for each in RUNTIMES]
    for job in jobs:
        world.stack.await_state(job, ("running",), allowed(30))
    held = world.stack.rows("SELECT job_id, engine FROM memory_held WHERE job_id = ANY(%s)", jobs)
    for job in jobs:
        world.stack.norn("jobs", "cancel", str(job))
        world.ended(job)
    machine = world.stack.rows("SELECT DISTINCT engine FROM workers WHERE engine IS NOT NULL")
    assert {row["job_id"] for row in held} == set(jobs)
    assert {row["engine"] for row in held} == {row["engine"] for row in machine}
    assert len(machine) == 1


def orphan_in_incus(world: IncusWorld, owner: str) -> None:
    """Makes an instance of this owner."""
    runtime = world.runtime
    image = next(each for each in world.images() if each["properties"]["norn.app"] == "incus-slow")
    document = {
        "name": f"norn-x-orphan-{runtime.on.instance}", "type": "container", "profiles": [],
        "source": {"type": "image", "fingerprint": image["fingerprint"]},
        "devices": {"root": {"type": "disk", "path": "/", "pool": POOL}},
        "config": {"user.norn.instance": runtime.on.instance, "user.norn.owner": owner},
    }  # fmt: skip
    runtime.on.api.change("POST", "/1.0/instances", document)


def orphan_in_docker(world: IncusWorld, owner: str) -> str:
    """Makes a container of this owner; returns its id."""
    carried = {**labels("docker-slow", owner, Fence(0, 0)), INSTANCE: world.runtime.on.instance}
    return str(world.docker.ask(lambda client: client.create_container("busybox:stable", labels=carried)["Id"]))


def in_docker(world: IncusWorld, container: str) -> bool:
    """Returns whether a container exists."""
    found = world.docker.ask(lambda client: client.containers(all=True, filters={"id": container}))
    return bool(found)


def test_orphans_of_both_engines_are_removed_and_a_purge_takes_the_images(
    world: IncusWorld, ends: dict[str, dict[str, Any]]
) -> None:
    """A container whose run has ended counts as an orphan."""
    orphan_in_incus(world, f"execution:{ends['incus-slow']['id']}")
    orphan = orphan_in_docker(world, f"execution:{ends['docker-slow']['id']}")
    assert world.left() != [] and in_docker(world, orphan)
    world.stack.norn("teardown", "incus-greedy", "--purge", "--confirm", "incus-greedy")
    assert "incus-greedy" not in {each["properties"]["norn.app"] for each in world.images()}
    wait_until(lambda: world.left() == [], allowed(60), "no instance is left")
    wait_until(lambda: not in_docker(world, orphan), allowed(60), "no container is left")
