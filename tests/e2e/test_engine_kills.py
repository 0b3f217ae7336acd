"""kill -9 of the engine in the middle of a cron run that writes to a volume: one run, its true exit code. In short."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import new_stack
from tests.e2e.engine_kills import Kills
from tests.engine_kit import PrivateEngine
from tests.servers import Broker, Postgres


@pytest.fixture(params=[True, False], ids=["live-restore", "plain"])
def kills(request: pytest.FixtureRequest, postgres: Postgres, private_dir: Path) -> Iterator[Kills]:
    """A stack on an engine of its own that may be killed."""
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
