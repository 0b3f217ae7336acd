"""kill -9 of the engine during calls in the nest (the container in which crun starts runs), and of everything at once
as at a power cut: no code begins twice.

The engine is the test's own. With its setting `live-restore`, the nest outlives the engine; without it, the engine ends
the nest when the engine starts again. The environment variable KILLS is the number of kills of the engine.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from norn_tasks.adapters.docker.client import EngineClient
from tests.e2e import killed_calls
from tests.e2e.conftest import new_stack
from tests.e2e.fast_road import await_clean, await_nest, inside, remains
from tests.e2e.stack import Stack
from tests.e2e.witness import Witness
from tests.engine_kit import PrivateEngine
from tests.nest import with_image
from tests.servers import Broker, Postgres, wait_until

KILLS = int(os.environ.get("KILLS", "3"))
ENVIRONMENT = {
    "NORN_NEST": "auto", "NORN_LEASE_SECONDS": "6", "NORN_HEARTBEAT_SECONDS": "1.5", "NORN_SELF_STOP_SECONDS": "4",
}  # fmt: skip
PARTS = ("api", "invoke", "deploy", "observe", "beat")
_OPEN = "SELECT count(*) FROM jobs WHERE kind = 'invoke' AND state IN ('queued', 'running')"
_ENDS = """SELECT x.path, x.state, coalesce(x.cause, '') AS cause, j.runs FROM func_executions x
 JOIN jobs j ON j.id = x.job_id WHERE x.app = %s"""
_MAY_END = {"worker_lost", "engine_restarted", "engine_trouble", "expired"}


@dataclass
class Machine:
    """A Norn and its engine, both of the test's own."""

    stack: Stack
    engine: PrivateEngine
    witness: Witness

    def cut_power(self) -> None:
        """Kills every process of Norn, its nest, its engine and the engine's own processes at once."""
        nest = inside(self.stack).pid
        for name in PARTS:
            self.stack.kill_group(name)
        self.engine.kill()
        for pid in (nest, *_processes_with(str(self.engine.home))):
            os.kill(pid, signal.SIGKILL)

    def power_up(self) -> None:
        """Starts the engine and Norn again."""
        self.engine.start()
        self.stack.start(*PARTS)
        await_nest(self.stack, ("invoke",))

    def wrong(self) -> list[str]:
        """Returns the calls whose record does not agree with the number of starts that the witness counted."""
        found = []
        for row in self.stack.rows(_ENDS, killed_calls.APP):
            number = str(row["path"]).strip("/").replace("/", "-")
            begun = self.witness.begun[number]
            right = begun == 1 if row["state"] == "succeeded" else row["cause"] in _MAY_END
            if not right or begun > 1 or row["runs"] > 1:
                found.append(f"{number}: begun {begun} times, recorded {row}")
        return found


def _processes_with(word: str) -> list[int]:
    """Returns the processes that have a word in their command line, such as the shims of an engine."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if word.encode() in line and b"containerd" in line:
                found.append(int(entry.name))
    return found


@pytest.fixture(params=[True, False], ids=["live-restore", "plain"])
def machine(request: pytest.FixtureRequest, postgres: Postgres, private_dir: Path) -> Iterator[Machine]:
    """A Norn whose nest is on an engine that may be killed."""
    home = private_dir / f"nest-{request.param}"
    home.mkdir()
    broker, engine = Broker(home / "broker"), PrivateEngine(home / "engine", live_restore=request.param)
    tag = with_image(EngineClient("unix:///var/run/docker.sock"))
    saved = subprocess.run(["docker", "save", tag], check=True, capture_output=True).stdout
    subprocess.run(["docker", "-H", engine.address, "load"], input=saved, check=True, capture_output=True)
    stack = new_stack(
        postgres, broker.url, home, NORN_DOCKER_HOST=engine.address, DOCKER_HOST=engine.address, **ENVIRONMENT
    )
    try:
        stack.start(*PARTS)
        await_nest(stack, ("invoke",))
        witness = Witness(stack, Path("/run/netns") / engine.namespace)
        killed_calls.deploy(stack, witness, "retries: {max: 0}\n")
        yield Machine(stack, engine, witness)
        witness.close()
    finally:
        stack.stop()
        engine.stop()
        broker.stop()


@pytest.mark.timeout(900)
def test_no_code_begins_twice_when_the_engine_or_everything_is_killed(machine: Machine) -> None:
    stack, before = machine.stack, remains(machine.stack)
    for kill in range(KILLS):
        once = killed_calls.Once(3, machine.engine.kill, machine.engine.start)
        answers = killed_calls.streamed(stack, 5, 8, f"engine{kill}", once)
        print(f"engine killed: {killed_calls.said(answers)}")
    wait_until(lambda: stack.rows(_OPEN)[0]["count"] == 0, 120, "all calls have ended")
    await_nest(stack, ("invoke",))
    answers = killed_calls.streamed(stack, 5, 5, "power", killed_calls.Once(3, machine.cut_power, lambda: None))
    print(f"power cut: {killed_calls.said(answers)}")
    machine.power_up()
    wait_until(lambda: stack.rows(_OPEN)[0]["count"] == 0, 120, "all calls have ended")
    answers = killed_calls.streamed(stack, 5, 2, "after", nullcontext())
    print(f"afterwards: {killed_calls.said(answers)}")
    assert {each.said for each in answers} == {"ok"}
    assert (machine.wrong(), machine.witness.twice()) == ([], {})
    await_clean(stack, before, 60)
