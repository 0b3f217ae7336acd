"""Restarts during runs in Incus: once of all programs (Norn, its stores and incusd) while the instances continue, and
once of the whole machine.

No code runs twice, the record has the true end and the output, and no instance, image or volume is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.incus_world import IncusWorld, incus_world
from tests.incus import IncusKit, own_incus, volumes
from tests.servers import Postgres, allowed, wait_until

SECONDS = {"kill": 60, "down": 300}
"""Seconds for which the program of a run sleeps: after `kill` it outlives the restart of the programs; with `down` it
is still running when the machine stops.
"""
PROGRAMS = ("api", "invoke", "cron", "deploy", "observe", "beat", "router")


@pytest.fixture(scope="module")
def own() -> Iterator[IncusKit]:
    with own_incus() as kit:
        yield kit


@pytest.fixture(scope="module")
def world(own: IncusKit, postgres: Postgres, private_dir: Path, engine_address: str) -> Iterator[IncusWorld]:
    with incus_world(postgres, private_dir / "restart", own) as world:
        for stop, seconds in SECONDS.items():
            world.add(f"under-{stop}", f"echo start; sleep {seconds}; echo end; exit 5")
        world.deploy(*(f"under-{stop}" for stop in SECONDS), within=180)
        yield world


def restarted(world: IncusWorld, own: IncusKit, postgres: Postgres, stop: str) -> dict[str, Any]:
    """Kills Norn, its stores and Incus during a run, and starts them again; returns the record of the run."""
    job = world.begin(f"under-{stop}")
    wait_until(lambda: b"start" in world.stack.norn("jobs", "logs", str(job)).stdout, 30, "it has written a line")
    for name in PROGRAMS:
        world.stack.kill_group(name)
    world.broker.process.kill()
    world.broker.process.wait(10)
    postgres.stop()
    own.run(stop)
    own.up()
    postgres.start()
    world.broker.start()
    world.stack.start()
    return world.ended(job)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("stop", "end"), [("kill", ("failed", 5, True)), ("down", ("error", 143, False))])
def test_a_run_survives_programs_and_not_the_machine(
    world: IncusWorld, own: IncusKit, postgres: Postgres, stop: str, end: tuple[object, ...]
) -> None:
    run = restarted(world, own, postgres, stop)
    print(f"\nafter {stop}: {run['state']} {run['exit_code']} {run['cause']}: {run['sentence']}; {run['stdout']!r}")
    assert (run["state"], run["exit_code"], "end" in run["stdout"]) == end
    assert run["stdout"].count("start") == 1 if stop == "kill" else run["stdout"].count("start") <= 1
    wait_until(lambda: world.left() == [], allowed(90), "no instance is left")
    assert volumes(world.runtime, "container") == []
    assert len(world.images()) == len(SECONDS) == len(volumes(world.runtime, "image"))
