"""Kills the engine by SIGKILL in the middle of a cron run that writes to a volume: the code runs once, and its true
exit code is recorded. A soak test does so more often.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker.engine import DockerEngine
from norn_tasks.adapters.runtimes.docker import DockerRuntime
from norn_tasks.ports import Mount, Run
from tests.e2e.conftest import new_stack
from tests.e2e.engine_kills import Kills
from tests.engine_kit import IMAGE, PrivateEngine
from tests.fakes.stop import FakeWatch
from tests.servers import Broker, Postgres, allowed

WITNESS = "echo begun >>/data/runs; sleep 1; echo ended >>/data/runs; exit 7"


@pytest.fixture(params=[True, False], ids=["live-restore", "plain"])
def kills(request: pytest.FixtureRequest, postgres: Postgres, private_dir: Path) -> Iterator[Kills]:
    """A stack on an engine of its own, which the test may kill."""
    home = private_dir / f"kills-{request.param}"
    home.mkdir()
    broker, engine = Broker(home / "broker"), PrivateEngine(home / "engine", live_restore=request.param)
    stack = new_stack(postgres, broker.url, home, NORN_DOCKER_HOST=engine.address, DOCKER_HOST=engine.address)
    try:
        stack.start("api", "cron", "deploy", "beat")
        yield Kills(stack, engine)
    finally:
        stack.stop()
        engine.stop()
        broker.stop()


@pytest.mark.timeout(300)
def test_the_run_happens_once_and_its_true_end_is_recorded(kills: Kills) -> None:
    kills.prepare()
    kills.play()
    assert kills.wrong == []


@dataclass
class Moment:
    """A run whose engine is killed as soon as its code has written the first line, while the engine still handles the
    start.
    """

    engine: PrivateEngine
    data: Path
    containers: list[str] = field(default_factory=list)

    def run(self) -> Run:
        data = Mount(str(self.data), "/data", host=True)
        return Run(
            name="norn-x-moment", app="moment", owner="execution:1", image=IMAGE, argv=("sh", "-c", WITNESS), env={},
            timeout=60, memory=32 * 2**20, cpus=0.5, network="none", mounts=(data,),
        )  # fmt: skip

    def created(self, container: str) -> None:
        self.containers.append(container)

    def begun(self) -> None:
        threading.Thread(target=self.kill, daemon=True).start()

    def kill(self) -> None:
        until = time.monotonic() + allowed(20)
        while not self.lines() and time.monotonic() < until:
            pass
        self.engine.kill()
        time.sleep(2)
        self.engine.start()

    def lines(self) -> list[str]:
        file = self.data / "runs"
        return file.read_text().split() if file.exists() else []


@pytest.fixture
def moment(request: pytest.FixtureRequest, private_dir: Path) -> Iterator[Moment]:
    """An engine of the test's own, and a directory to which its runs write."""
    home = private_dir / f"moment-{request.node.name[-20:]}"
    (home / "data").mkdir(parents=True)
    engine = PrivateEngine(home / "engine", live_restore=True)
    try:
        yield Moment(engine, home / "data")
    finally:
        engine.stop()


@pytest.mark.timeout(300)
def test_a_run_whose_engine_is_killed_while_it_starts_it_begins_once(moment: Moment) -> None:
    runtime = DockerRuntime(DockerEngine(EngineClient(moment.engine.address)))
    ended = runtime.run(moment.run(), moment, FakeWatch().watch)
    assert moment.lines() == ["begun", "ended"]
    assert (ended.exit_code, ended.interrupted) in ((None, True), (7, False))


@pytest.mark.timeout(300)
def test_a_run_whose_owner_died_with_its_engine_at_its_start_is_not_said_to_have_never_started(moment: Moment) -> None:
    client = moment.engine.client()
    made = client.containers.create(IMAGE, ["sh", "-c", WITNESS], volumes=[f"{moment.data}:/data"], network_mode="none")
    moment.begun()
    with contextlib.suppress(requests.RequestException):
        made.start()
    client.close()
    runtime = DockerRuntime(DockerEngine(EngineClient(moment.engine.address)))
    ended = runtime.adopt(moment.run(), str(made.id), FakeWatch(token=2).watch)
    assert (moment.lines()[:1], ended is None or ended.exit_code == 7) == (["begun"], True)
