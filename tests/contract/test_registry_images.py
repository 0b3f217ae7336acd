"""The promises of images in a registry, tested on the fake and on a real engine with a real registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from norn_tasks.adapters.docker.building.builder import BuildLimits
from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker.registry import Registries, Registry
from norn_tasks.adapters.docker.registry_images import DockerRegistryImages
from norn_tasks.domain.errors import RegistryFailed, SourceError
from norn_tasks.domain.sources.image_reference import parse
from norn_tasks.ports import Image, RegistryImages
from tests.contract.conftest import IMAGE
from tests.fakes.registry_images import FakeRegistryImages
from tests.fakes.stop import FakeWatch
from tests.registry import PASSWORD, USER, DockerRegistry

LIMITS = BuildLimits(timeout=60, memory=256 * 2**20, cpus=1)
Push = Callable[..., str]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    registry = DockerRegistry(tmp_path_factory.mktemp("registry") / "home")
    yield registry
    registry.stop()


@pytest.fixture(params=["fake", "docker"])
def world(request: pytest.FixtureRequest, tmp_path: Path, app: str) -> Iterator[tuple[RegistryImages, Push]]:
    """The images, and a function that pushes another version under a tag and returns its reference."""
    if request.param == "fake":
        fake = FakeRegistryImages()
        yield fake, lambda tag, version, **labels: _faked(fake, f"registry.example/{app}:{tag}", version, labels)
        return
    there: DockerRegistry = request.getfixturevalue("registry")
    engine: EngineClient = request.getfixturevalue("clean_engine")
    images = DockerRegistryImages(engine, tmp_path, LIMITS, Registries(None, there.config), f"c{app}")
    yield images, lambda tag, version, **labels: pushed(there, f"{app}:{tag}", version, labels)
    for image in images.of_app(app):
        images.drop(image, app)


def _faked(fake: FakeRegistryImages, name: str, version: str, labels: dict[str, str]) -> str:
    digest = f"sha256:{version.encode().hex():0>64}"
    fake.tags[name], fake.registry[digest] = digest, Image(digest, (), labels)
    return name


def pushed(registry: DockerRegistry, name: str, version: str, labels: dict[str, str] | None = None) -> str:
    """Pushes an image with one file by plain `docker push`, and removes it from the engine; returns its reference."""
    client: Any = docker.from_env()
    repository, _, tag = name.rpartition(":")
    base = client.containers.create(IMAGE, ["cat", "/version"], labels=labels or {})
    made = base.commit(f"{registry.address}/{repository}", tag, changes=[f'CMD ["echo", "{version}"]'])
    base.remove()
    said = client.api.push(
        f"{registry.address}/{repository}", tag, auth_config={"username": USER, "password": PASSWORD}
    )
    assert '"error"' not in said, said
    client.images.remove(made.id, force=True)
    client.close()
    return f"{registry.address}/{name}"


def test_a_tag_is_resolved_and_the_image_is_kept_for_the_app(world: tuple[RegistryImages, Push], app: str) -> None:
    images, push = world
    named = parse(push("1", "one"))
    digest = images.resolve(str(named), FakeWatch().watch)
    kept = images.pull(named.by_digest(digest), app, FakeWatch().watch)
    assert [each.id for each in images.of_app(app)] == [kept.id] and kept.id in images.ids()


def test_a_tag_that_moves_leaves_the_digest_where_it_was(world: tuple[RegistryImages, Push], app: str) -> None:
    images, push = world
    first = images.resolve(push("moving", "first"), FakeWatch().watch)
    named = parse(push("moving", "second"))
    assert images.resolve(str(named), FakeWatch().watch) != first
    before = images.pull(named.by_digest(first), app, FakeWatch().watch)
    after = images.pull(named.by_digest(images.resolve(str(named), FakeWatch().watch)), app, FakeWatch().watch)
    assert before.id != after.id


def test_what_no_release_needs_is_dropped(world: tuple[RegistryImages, Push], app: str) -> None:
    images, push = world
    named = parse(push("drop", "dropped"))
    kept = images.pull(named.by_digest(images.resolve(str(named), FakeWatch().watch)), app, FakeWatch().watch)
    (found,) = images.of_app(app)
    assert images.drop(found, app) and images.of_app(app) == () and kept.id not in images.ids()


def test_what_the_registry_does_not_have_fails_with_its_reason(world: tuple[RegistryImages, Push], app: str) -> None:
    images, push = world
    missing = push("there", "there").replace(":there", ":missing")
    with pytest.raises(RegistryFailed, match="manifest unknown"):
        images.resolve(missing, FakeWatch().watch)


# Only with a real registry


def test_without_credentials_the_registrys_own_reason_is_given(
    clean_engine: EngineClient, registry: DockerRegistry, tmp_path: Path, app: str
) -> None:
    reference = pushed(registry, f"{app}:private", "private")
    images = DockerRegistryImages(clean_engine, tmp_path, LIMITS, Registries(None, None), "c1")
    with pytest.raises(RegistryFailed, match=r"unauthorized|no basic auth") as failed:
        images.resolve(reference, FakeWatch().watch)
    assert "NORN_REGISTRY_CONFIG" in failed.value.hint


@pytest.mark.parametrize("label", ["app", "stage"])
def test_an_image_with_a_label_of_norn_is_refused(
    clean_engine: EngineClient, registry: DockerRegistry, tmp_path: Path, app: str, label: str
) -> None:
    named = parse(pushed(registry, f"{app}:{label}", label, {f"norn.io/{label}": "other"}))
    images = DockerRegistryImages(clean_engine, tmp_path, LIMITS, Registries(None, registry.config), "c1")
    reference = named.by_digest(images.resolve(str(named), FakeWatch().watch))
    with pytest.raises(SourceError, match=rf"has the label norn\.io/{label}"):
        images.pull(reference, app, FakeWatch().watch)
    assert clean_engine.image(reference) is None and images.of_app(app) == ()


def test_each_registry_has_its_own_credentials(registry: DockerRegistry) -> None:
    own = Registry("registry.example:5000/team", registry.config)
    registries = Registries(own, registry.config)
    assert registries.of("registry.example:5000/team/shop@sha256:00") is own
    assert registries.of("nginx:1.27").address == "docker.io"
    assert registries.of(f"{registry.address}/shop:1").login_of_nodes()
    assert registries.of("ghcr.io/ada/blog").login_of_nodes() == ""
