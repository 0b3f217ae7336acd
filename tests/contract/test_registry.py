"""The promises of pushing and pulling images, tested on the fake and on a real engine with a real registry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from norn_tasks.adapters.docker.building.builder import BuildLimits
from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker.images import DockerImages
from norn_tasks.adapters.docker.registry import Registry
from norn_tasks.domain.errors import InvalidRequest, RegistryFailed
from norn_tasks.ports import BuildOrder, Image, Images
from tests.contract.conftest import IMAGE
from tests.fakes.build_queue import NoQueue
from tests.fakes.images import FakeImages
from tests.fakes.stop import FakeWatch
from tests.registry import DockerRegistry

LIMITS = BuildLimits(timeout=60, memory=256 * 2**20, cpus=1)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    registry = DockerRegistry(tmp_path_factory.mktemp("registry") / "home")
    yield registry
    registry.stop()


@pytest.fixture(params=["fake", "docker"])
def images(request: pytest.FixtureRequest, tmp_path: Path) -> Images:
    if request.param == "fake":
        public = Image("sha256:public", (IMAGE,), {})
        return FakeImages({public.id: public}, registry={})
    engine: EngineClient = request.getfixturevalue("clean_engine")
    there: DockerRegistry = request.getfixturevalue("registry")
    at = Registry.at(f"http://{there.address}/", there.config)
    return DockerImages(engine, tmp_path / "workspace", LIMITS, NoQueue(), registry=at)


@pytest.fixture
def built(images: Images, tmp_path: Path, app: str) -> Image:
    context = tmp_path / "source"
    context.mkdir()
    (context / "Dockerfile").write_text(f"FROM {IMAGE}\nCOPY Dockerfile /{app}\n")
    return images.build(BuildOrder(context, "Dockerfile", f"norn/{app}:1", app), FakeWatch().watch)


def test_a_published_image_is_named_by_its_digest(images: Images, built: Image, app: str) -> None:
    reference = images.publish(built.id, f"norn-test/{app}:1", FakeWatch().watch)
    assert reference is not None and f"/norn-test/{app}@sha256:" in reference


def test_what_was_published_comes_back_as_the_same_image(images: Images, built: Image, app: str) -> None:
    reference = images.publish(built.id, f"norn-test/{app}:1", FakeWatch().watch)
    assert reference is not None and images.remove(built.id) and images.find(built.id) is None
    assert images.pull(reference, FakeWatch().watch).id == built.id


def test_what_was_never_published_is_told(images: Images, app: str) -> None:
    nowhere = "127.0.0.1:1" if isinstance(images, DockerImages) else "registry.example"
    with pytest.raises(RegistryFailed) as failed:
        images.pull(f"{nowhere}/norn-test/{app}@sha256:{'0' * 64}", FakeWatch().watch)
    assert "does not give" in failed.value.sentence


def test_without_a_registry_nothing_is_published(
    built: Image, images: Images, engine: EngineClient, tmp_path: Path
) -> None:
    alone: Images = FakeImages({built.id: built})
    if isinstance(images, DockerImages):
        alone = DockerImages(engine, tmp_path / "workspace", LIMITS, NoQueue())
    assert alone.publish(built.id, "norn-test/x:1", FakeWatch().watch) is None


# Only with a real registry


def test_without_credentials_the_registry_says_no(
    clean_engine: EngineClient, registry: DockerRegistry, tmp_path: Path
) -> None:
    images = DockerImages(
        clean_engine, tmp_path / "workspace", LIMITS, NoQueue(), registry=Registry.at(registry.address, None)
    )
    found = images.find(IMAGE)
    assert found is not None
    with pytest.raises(RegistryFailed, match="did not take the image") as failed:
        images.publish(found.id, "norn-test/refused:1", FakeWatch().watch)
    clean_engine.ask(lambda client: client.remove_image(f"{registry.address}/norn-test/refused:1"))
    assert "NORN_REGISTRY_CONFIG" in failed.value.hint


def test_credentials_that_cannot_be_read_are_told(registry: DockerRegistry, tmp_path: Path) -> None:
    broken = Registry(registry.address, tmp_path / "nothing.json")
    with pytest.raises(RegistryFailed, match=r"nothing\.json"):
        broken._credentials()


@pytest.mark.parametrize(
    ("reference", "owner"),
    [
        ("registry.example:5000/team/norn-us/shop:1", "shop"),
        ("registry.example:5000/team/norn-us/shop@sha256:00", "shop"),
        ("Registry.Example:5000/team/norn-us/shop", "shop"),
        ("10.0.0.7:5000/team/norn-us/shop:1", "shop"),
        ("team/norn-us/shop:1", "shop"),
        ("registry.example:5000/team/norn-them/shop:1", "norn-them/shop"),
        ("registry.example:5000/team/base:1", None),
        ("elsewhere.example/norn-them/shop:1", None),
        ("norn-us", None),
        ("busybox", None),
    ],
)
def test_the_app_of_a_published_image_is_known_by_its_name(reference: str, owner: str | None) -> None:
    assert Registry("registry.example:5000/team").owner(reference, "us") == owner


@pytest.mark.parametrize("url", ["registry.example:5000", "https://registry.example:5000/team/", "localhost:5000"])
def test_an_address_is_read(url: str) -> None:
    assert Registry.at(url, None) is not None


@pytest.mark.parametrize("url", ["a b", "registry.example:5000/UPPER", "-x", "ftp://x"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest, match="NORN_REGISTRY_URL"):
        Registry.at(url, None)
