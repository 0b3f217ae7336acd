"""Fixtures of the end-to-end tests: a running Norn for a module of tests, on a real container engine."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.domain.errors import EngineDown
from norn_tasks.store.access import tokens
from norn_tasks.store.database.session import Database
from tests.e2e.stack import Stack
from tests.servers import Broker, Postgres

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def engine_address() -> str:
    """The address of a container engine that responds. Without one the tests fail with a clear message."""
    address = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    try:
        EngineClient(address, timeout=5).now()
    except EngineDown as error:
        pytest.fail(f"these tests need a Docker engine at {address}: {error}. `make test` starts one")
    return address


def clean_up(stack: Stack) -> None:
    """Removes the containers, images and volumes of this control plane from the engine, and nothing else."""
    client = docker.DockerClient(base_url=os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
    name = stack.rows("SELECT name FROM instance")[0]["name"]
    for container in client.containers.list(
        all=True, ignore_removed=True, filters={"label": f"norn.io/instance={name}"}
    ):
        container.remove(force=True)
    for image in client.images.list(filters={"label": f"norn.io/instance={name}"}):
        client.images.remove(image.id, force=True)
    for volume in client.volumes.list(filters={"label": f"norn.io/instance={name}"}):
        volume.remove(force=True)
    client.close()


def new_stack(postgres: Postgres, broker_url: str, home: Path, **environment: str) -> Stack:
    """Makes a stack over a fresh database, with its bootstrap token; nothing runs yet."""
    name = f"e2e{os.getpid()}_{next(_numbers)}"
    postgres.copy_template(name)
    stack = Stack(home, postgres.url(name), broker_url, **environment)
    database = Database(postgres.url(name), pool=1)
    tokens.ensure_bootstrap(database, home / "token")
    database.dispose()
    return stack


@pytest.fixture(scope="module")
def environment(request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings that a module requires for its Norn: its ENVIRONMENT, or the value of its own fixture of
    this name.
    """
    return dict(getattr(request.module, "ENVIRONMENT", {}))


@pytest.fixture(scope="module")
def stack(postgres: Postgres, private_dir: Path, engine_address: str, environment: dict[str, str]) -> Iterator[Stack]:
    """A complete Norn: API, a worker per class, scheduler ("beat") and router, on a broker of its own."""
    home = private_dir / f"s{next(_numbers)}"
    home.mkdir()
    broker = Broker(home / "broker")
    stack = new_stack(postgres, broker.url, home, **environment)
    stack.broker = broker
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()
        clean_up(stack)
        broker.stop()
