"""What contract tests share: a real engine, or a clear word that there is none; names of their own; cleaning up."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest
from docker import APIClient

from norn_tasks.adapters.engine import APP, Engine
from norn_tasks.domain.errors import EngineDown

IMAGE = "busybox:stable"


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The real engine of this machine, with the image that the tests run."""
    engine = Engine(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock")
    try:
        if engine.image(IMAGE) is None:
            pytest.fail(f"these tests need the image {IMAGE}: docker pull {IMAGE}", pytrace=False)
    except EngineDown as error:
        pytest.fail(f"these tests need a container engine: {error.sentence}", pytrace=False)
    return engine


@pytest.fixture
def app() -> str:
    """An app name that no other test uses."""
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.fixture
def clean_engine(engine: Engine, app: str) -> Iterator[Engine]:
    """The real engine, with everything labelled for `app` removed after the test."""
    yield engine
    _clean(engine, {"label": f"{APP}={app}"})


def _clean(engine: Engine, mine: dict[str, str]) -> None:
    def clean(client: APIClient) -> None:
        for container in client.containers(all=True, filters=mine):
            client.remove_container(container["Id"], v=True, force=True)
        for image in client.images(filters=mine):
            client.remove_image(image["Id"], force=True)

    engine.ask(clean)
