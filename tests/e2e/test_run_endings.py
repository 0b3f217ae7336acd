"""The ways in which a cron run can fail, each with its state, cause and hint; nothing may be left behind.

Norn's engine belongs to the test, which stops it during a run, and removes an image from it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import apps
from tests.e2e.conftest import new_stack
from tests.e2e.stack import Stack
from tests.engine_kit import PrivateEngine
from tests.servers import Broker, Postgres, allowed, wait_until

pytestmark = pytest.mark.timeout(360)

ENDS = ("succeeded", "failed", "error", "dead", "cancelled", "expired")
GIB = 2**30
GRACE = 10
"""Seconds from SIGTERM to SIGKILL."""
MEMORY = 50 * 1024
"""KiB by which a worker's memory may grow, however much a run writes (reliability.md, "Loads to hold")."""

STUBBORN = "trap '' TERM; echo deaf; while :; do sleep 1; done"
GREEDY = "x=$(head -c 100000000 /dev/zero | tr '\\\\0' a); echo done"
LOUD = f"echo first; yes $(head -c 8000 /dev/zero | tr '\\\\0' y) | head -c {GIB}; echo; echo last"
"""A program that writes long lines, because the engine's own log handles one line at a time."""
LONG = "echo begun; sleep 100"


@dataclass(frozen=True)
class World:
    """A Norn on an engine of its own."""

    stack: Stack
    engine: PrivateEngine

    def deploy(self, name: str, command: str, more: str = "") -> None:
        apps.add_cron(self.stack, name, command, more)
        self.stack.norn("forge", name)
        self.stack.norn("deploy", name)

    def begin(self, name: str) -> int:
        """Requests a run; returns its job."""
        return int(self.stack.json("cron", "run", name, "--detach")["job"])

    def begun(self, job: int) -> None:
        begun = "SELECT 1 FROM jobs WHERE id = %s AND begun_at IS NOT NULL"
        wait_until(lambda: self.stack.rows(begun, job), allowed(30), "the run has begun")

    def ended(self, job: int) -> dict[str, Any]:
        """Waits for the end of a run; returns its record."""
        self.stack.await_state(job, ENDS, allowed(120))
        return self.stack.rows("SELECT * FROM cron_executions WHERE job_id = %s", job)[0]

    def left(self) -> tuple[list[str], list[str], list[str]]:
        """Returns the containers on the engine, the directories of jobs, and the slots in use."""
        client = self.engine.client()
        containers = [str(each.name) for each in client.containers.list(all=True)]
        client.close()
        work = self.stack.home / "work"
        directories = [each.name for each in work.glob("job-*")] if work.exists() else []
        return (
            containers,
            directories,
            [row["app"] for row in self.stack.rows("SELECT app FROM slots WHERE job_id > 0")],
        )


@pytest.fixture(scope="module")
def world(postgres: Postgres, private_dir: Path) -> Iterator[World]:
    """API, cron and deploy workers, and the scheduler."""
    home = private_dir / "endings"
    home.mkdir()
    broker = Broker(home / "broker")
    engine = PrivateEngine(home / "engine", live_restore=False)
    stack = new_stack(postgres, broker.url, home, DOCKER_HOST=engine.address)
    try:
        stack.start("api", "cron", "deploy", "beat")
        yield World(stack, engine)
    finally:
        stack.stop()
        engine.stop()
        broker.stop()


@pytest.fixture(scope="module")
def together(world: World) -> dict[str, dict[str, Any]]:
    """Three simultaneous runs that fail or write much: the records of their ends."""
    world.deploy("stubborn", STUBBORN, "timeout: 2\n")
    world.deploy("greedy", GREEDY, "resources: {memory: 16m}\n")
    world.deploy("loud", LOUD)
    peak = _peak(world)
    jobs = {name: world.begin(name) for name in ("stubborn", "greedy", "loud")}
    ends = {name: world.ended(job) for name, job in jobs.items()}
    return ends | {"worker": {"grown": _peak(world) - peak}}


def _peak(world: World) -> int:
    """Returns the largest amount of memory that the cron worker has used, in KiB."""
    status = Path(f"/proc/{world.stack.processes['cron'].pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def told(run: dict[str, Any]) -> tuple[object, ...]:
    return tuple(run[each] for each in ("state", "exit_code", "cause", "sentence", "hint"))


def test_a_run_that_ignores_sigterm_is_killed_after_the_grace(together: dict[str, dict[str, Any]]) -> None:
    run = together["stubborn"]
    assert told(run) == ("timed_out", 137, "timed_out", "it did not end within 2 s",
                         "raise timeout in its infraspec.yaml, or make it quicker")  # fmt: skip
    assert (2 + GRACE) * 1000 <= run["duration_ms"] < (2 + GRACE + allowed(5)) * 1000


def test_a_run_over_its_memory_is_told_so(together: dict[str, dict[str, Any]]) -> None:
    state, _, *why = told(together["greedy"])
    assert (state, *why) == ("oom_killed", "oom_killed", "it used more than its 16 MiB of memory",
                             "raise resources.memory in its infraspec.yaml")  # fmt: skip


def test_of_a_gibibyte_head_and_tail_are_kept_and_the_rest_is_counted(together: dict[str, dict[str, Any]]) -> None:
    run = together["loud"]
    written = GIB + len("first\n\nlast\n")
    assert (run["state"], run["stdout_dropped"]) == ("succeeded", written - (16 + 48) * 1024)
    assert (run["stdout"].startswith("first\nyy"), run["stdout"].endswith("y\nlast\n")) == (True, True)
    assert f"{run['stdout_dropped']} bytes dropped" in run["stdout"]


def test_a_gibibyte_does_not_grow_the_worker(together: dict[str, dict[str, Any]]) -> None:
    print(f"\na run that wrote 1 GiB: the worker grew by {together['worker']['grown'] / 1024:.1f} MiB")
    assert together["worker"]["grown"] < MEMORY


@pytest.mark.parametrize("stop", ["terminate", "kill"])
def test_a_run_whose_engine_is_restarted_is_not_the_apps_fault(world: World, stop: str) -> None:
    world.deploy(f"long-{stop}", LONG)
    job = world.begin(f"long-{stop}")
    world.begun(job)
    time.sleep(1)
    getattr(world.engine.process, stop)()
    world.engine.process.wait(60)
    time.sleep(2)
    world.engine.start()
    run = world.ended(job)
    state, code, *why = told(run)
    assert (state, *why) == (
        "error", "engine_restarted", "the engine was stopped while it ran",
        "run it again if that is safe; retries.max in its infraspec.yaml does that")  # fmt: skip
    # A killed engine does not always learn how containers ended while it was down.
    assert code == 143 if stop == "terminate" else code in (137, 143, None)


def test_a_run_whose_image_is_gone_fails_to_start(world: World) -> None:
    world.deploy("imageless", "true")
    client = world.engine.client()
    for image in client.images.list(filters={"label": "norn.io/app=imageless"}):
        client.images.remove(image.id, force=True)
    client.close()
    world.stack.norn("cron", "set-schedule", "imageless", "@every 1s")
    failed = "SELECT * FROM cron_ticks WHERE app = 'imageless' AND verdict = 'failed_to_start' ORDER BY id LIMIT 1"
    wait_until(lambda: world.stack.rows(failed), allowed(30), "a tick failed to start")
    world.stack.norn("cron", "set-schedule", "imageless", "--clear")
    (tick,) = world.stack.rows(failed)
    (run,) = world.stack.rows("SELECT * FROM cron_executions WHERE id = %s", tick["execution"])
    assert (run["state"], run["cause"], run["hint"]) == ("error", "release_gone", "norn deploy imageless")
    assert "is no longer on this engine" in run["sentence"]
    assert tick["reason"] == run["sentence"]


def test_nothing_is_left_behind(world: World, together: dict[str, dict[str, Any]]) -> None:
    wait_until(lambda: world.left() == ([], [], []), allowed(30), f"all is gone: {world.left()}")
