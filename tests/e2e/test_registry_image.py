"""Apps whose infraspec names an image of a registry: deployed by digest, tested, rolled back, kept and dropped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.contract.test_registry_images import pushed
from tests.e2e.conftest import clean_up, new_stack
from tests.e2e.stack import Stack
from tests.registry import DockerRegistry
from tests.servers import Broker, Postgres

SERVE = "exec httpd -f -p 8080 -h /etc"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    registry = DockerRegistry(tmp_path_factory.mktemp("registry") / "home")
    yield registry
    registry.stop()


@pytest.fixture(scope="module")
def stack(postgres: Postgres, private_dir: Path, engine_address: str, registry: DockerRegistry) -> Iterator[Stack]:
    """A Norn whose workers have credentials for registries, and no registry of their own."""
    home = private_dir / "home"
    home.mkdir()
    broker = Broker(home / "broker")
    stack = new_stack(postgres, broker.url, home, NORN_REGISTRY_CONFIG=str(registry.config))
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()
        clean_up(stack)
        broker.stop()


def add(stack: Stack, app: str, role: str, image: str, more: str = "") -> None:
    """Registers and forges an app that has an image and no directory."""
    file = stack.home / f"{app}.yaml"
    file.write_text(f"app: {app}\nrole: {role}\nimage: {image}\n{more}")
    stack.norn("apply", str(file))
    stack.norn("forge", app)


def releases(stack: Stack, app: str) -> list[str]:
    return [row["image_id"] for row in stack.rows("SELECT image_id FROM releases WHERE app = %s ORDER BY n", app)]


@pytest.fixture(scope="module")
def web(stack: Stack, registry: DockerRegistry) -> str:
    """A webserver that is live with the first image of the tag `stable`; the tag now refers to another image."""
    image = pushed(registry, "team/web:stable", "first")
    add(stack, "web", "webserver", image, f'port: 8080\ncommand: "{SERVE}"\nbuild: {{test: test -x /bin/httpd}}\n')
    stack.norn("deploy", "web")
    pushed(registry, "team/web:stable", "second")
    return "web"


def test_it_is_live_by_the_digest_that_the_tag_had(stack: Stack, web: str) -> None:
    (release,) = stack.rows("SELECT published, revision, engine FROM releases WHERE app = %s AND image_id <> ''", web)
    digest = release["published"].rpartition("@sha256:")[2]
    assert release["revision"] == f"img-{digest[:12]}"
    assert httpx.get(f"{stack.json('status', web)['url']}/passwd").status_code == 200


def test_a_moved_tag_changes_nothing_until_a_deploy_and_a_rollback_goes_back(stack: Stack, web: str) -> None:
    stack.norn("deploy", web)
    first, second = releases(stack, web)
    assert first != second
    stack.norn("rollback", web)
    live = stack.rows("SELECT image_id FROM live_releases WHERE app = %s", web)
    assert live == [{"image_id": first}]


def test_a_missing_tag_fails_with_the_registrys_reason_and_the_live_release_stays(stack: Stack, web: str) -> None:
    failed = stack.norn("deploy", web, "no-such-tag", check=False)
    assert failed.returncode != 0 and b"manifest unknown" in failed.stderr
    assert httpx.get(f"{stack.json('status', web)['url']}/passwd").status_code == 200


def test_a_function_has_an_image_too(stack: Stack, registry: DockerRegistry) -> None:
    add(stack, "call", "function", pushed(registry, "team/run:1", "says so"))
    stack.norn("deploy", "call")
    assert stack.norn("invoke", "call").stdout.strip() == b"says so"


def test_what_a_purge_removes_is_kept_by_no_tag(stack: Stack, web: str) -> None:
    stack.norn("teardown", web, "--purge", "--confirm", web)
    gone = stack.rows(
        "SELECT bool_and(pruned_at IS NOT NULL) AS pruned FROM releases WHERE app = %s AND image_id <> ''", web
    )
    assert gone == [{"pruned": True}]
