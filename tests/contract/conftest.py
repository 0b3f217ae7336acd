"""Fixtures of the contract tests: a real engine (or a clear error if the machine has none), unique names, and
clean-up.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker import APIClient

from norn_tasks.adapters.docker.client import APP, EngineClient
from norn_tasks.adapters.incus.runtime import IncusRuntime
from norn_tasks.adapters.kubernetes.access import ClusterAccess
from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.adapters.nest.keeper import NestKeeper
from norn_tasks.adapters.nest.runtime import NestRuntime
from norn_tasks.domain.errors import EngineDown
from tests.incus import IncusKit, swept
from tests.incus import started as incus_started
from tests.kube import KubeKit, started
from tests.nest import made, runtime_of

IMAGE = "busybox:stable"


@pytest.fixture(scope="session")
def engine() -> EngineClient:
    """The real engine of this machine, with the image that the tests run."""
    engine = EngineClient(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock")
    try:
        if engine.image(IMAGE) is None:
            pytest.fail(f"these tests need the image {IMAGE}: docker pull {IMAGE}", pytrace=False)
    except EngineDown as error:
        pytest.fail(f"these tests need a container engine: {error.sentence}", pytrace=False)
    return engine


@pytest.fixture(scope="session")
def kube() -> KubeKit:
    """The real Kubernetes cluster of the tests."""
    return started()


@pytest.fixture(scope="session")
def kube_api(kube: KubeKit) -> Iterator[Api]:
    """The API server, in a namespace of this process that is removed afterwards."""
    with kube.namespace(f"contract-{os.getpid()}") as name:
        yield Api(ClusterAccess(name, Path(kube.environment["KUBECONFIG"])))


@pytest.fixture(scope="session")
def incus() -> IncusKit:
    """The real Incus of the tests."""
    return incus_started()


@pytest.fixture
def on_incus(incus: IncusKit, engine: EngineClient, app: str) -> Iterator[IncusRuntime]:
    """A runtime on the real Incus; everything of `app` is removed after the test."""
    runtime = incus.runtime(engine)
    yield runtime
    swept(runtime, app)


@pytest.fixture(scope="session")
def nest(engine: EngineClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NestKeeper]:
    """A nest (the container in which crun starts runs) of this process; it is removed at the end with
    everything in it.
    """
    with made(engine, tmp_path_factory.mktemp("nest")) as keeper:
        yield keeper


@pytest.fixture
def in_nest(nest: NestKeeper, engine: EngineClient, app: str) -> Iterator[NestRuntime]:
    """A runtime in the nest; every run of `app` is removed after the test."""
    runtime = runtime_of(nest, engine)
    yield runtime
    for each in runtime.on.containers():
        if each.name.startswith(f"norn-x-{app}"):
            runtime.on.remove(each.id)


@pytest.fixture
def app() -> str:
    """An app name that no other test uses."""
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.fixture
def clean_engine(engine: EngineClient, app: str) -> Iterator[EngineClient]:
    """The real engine, with everything labelled for `app` removed after the test."""
    yield engine
    remove_labelled(engine, {"label": f"{APP}={app}"})


def remove_labelled(engine: EngineClient, mine: dict[str, str]) -> None:
    """Removes the containers and images that match a filter of the engine."""

    def clean(client: APIClient) -> None:
        for container in client.containers(all=True, filters=mine):
            client.remove_container(container["Id"], v=True, force=True)
        for image in client.images(filters=mine):
            client.remove_image(image["Id"], force=True)

    engine.ask(clean)
