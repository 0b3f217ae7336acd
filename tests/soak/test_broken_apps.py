"""For each app that is broken on purpose, `norn deploy` or a later command prints the true cause."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import docker
import pytest
from docker.errors import ImageNotFound

from tests.broken import BROKEN, BrokenApp, attempt
from tests.e2e.stack import Stack

ENVIRONMENT = {"NORN_ROLLOUT_TIMEOUT": "8", "NORN_WORKERS_DEPLOY": "4", "NORN_STAY_UP": "4"}
SHARE = 0.95

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def attempts(
    stack: Stack, engine_address: str, request: pytest.FixtureRequest
) -> Iterator[dict[str, Future[tuple[int, str]]]]:
    """The attempts to deploy the broken apps of the selected tests, four at a time; by app."""
    asked = {
        getattr(item, "callspec").params["app"].name  # noqa: B009 - pytest does not declare it
        for item in request.session.items
        if "app" in getattr(item, "fixturenames", ())
    }
    client = docker.DockerClient(base_url=engine_address)
    for image in sorted({app.image for app in BROKEN}):
        try:
            client.images.get(image)
        except ImageNotFound:
            pytest.fail(f"the engine has no {image}: docker pull it, or make a stand-in")
    client.close()
    with ThreadPoolExecutor(4) as pool:
        yield {app.name: pool.submit(attempt, stack, app) for app in BROKEN if app.name in asked}


def _named(app: BrokenApp, ended: tuple[int, str]) -> bool:
    status, printed = ended
    return status == 0 if app.works else status != 0 and all(words in printed for words in app.says)


@pytest.mark.parametrize("app", BROKEN, ids=str)
def test_the_cause_is_named(attempts: dict[str, Future[tuple[int, str]]], app: BrokenApp) -> None:
    status, printed = attempts[app.name].result()
    print(f"\n{app.name} ({app.breaks}): exit status {status}\n{printed}")
    assert _named(app, (status, printed)), f"{app.breaks}: expected {app.says}, and it exited {status} with:\n{printed}"


def test_nearly_all_causes_are_named(attempts: dict[str, Future[tuple[int, str]]]) -> None:
    ended = [(app, attempts[app.name].result()) for app in BROKEN if app.name in attempts]
    named = sum(_named(app, end) for app, end in ended)
    print(f"{named} of {len(ended)} causes are named")
    assert named >= SHARE * len(ended)
