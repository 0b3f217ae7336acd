"""The image of deploy/Dockerfile, as docker-compose.yml runs it on stores of the tests: it deploys and invokes."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.e2e.stack import BIN
from tests.servers import Broker, Postgres, free_port, wait_until

ROOT = Path(__file__).parents[2]
BASE = "python:3.11-slim"
PASSWORD = "0123456789abcdef"
SERVICES = ("api", "worker-deploy", "worker-invoke", "worker-observe", "beat")

pytestmark = pytest.mark.timeout(600)


def _ran(argv: list[str], environment: Mapping[str, str], seconds: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, cwd=ROOT, env=dict(environment), capture_output=True, text=True, check=False, timeout=seconds
    )


@dataclass(frozen=True)
class Compose:
    """A project of docker-compose.yml; `environment` is what a person would write into .env, and where norn asks."""

    environment: Mapping[str, str]

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs docker-compose."""
        done = _ran(["docker-compose", *words], self.environment, 500)
        assert not check or done.returncode == 0, (
            f"docker-compose {words}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        )
        return done

    def norn(self, *words: str) -> str:
        """Runs norn as a person on the same machine; answers what it printed."""
        done = _ran([str(BIN / "norn"), *words], self.environment, 180)
        assert done.returncode == 0, (
            f"norn {words}\n{done.stdout}\n{done.stderr}\n{self.run('logs', check=False).stdout}"
        )
        return done.stdout


@pytest.fixture(scope="module")
def base(engine_address: str) -> None:
    """The image that ours is built on, which a maker may have to make."""
    if subprocess.run(["docker", "image", "inspect", BASE], capture_output=True, check=False).returncode == 0:
        return
    maker = os.environ.get("NORN_TEST_IMAGES")
    made = subprocess.run(
        [maker or "docker", *([] if maker else ["pull"]), BASE], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.fail(
            f"there is no image {BASE}: name a program that makes it in NORN_TEST_IMAGES\n{made.stderr[-1000:]}"
        )


@pytest.fixture(scope="module")
def compose(base: None, postgres: Postgres, private_dir: Path) -> Iterator[Compose]:
    """The image is built, and its containers run on stores of the tests' own."""
    home = private_dir / "compose"
    home.mkdir()
    broker = Broker(home / "broker")
    broker.client().config_set("requirepass", PASSWORD)
    postgres.execute("CREATE ROLE norn SUPERUSER LOGIN")
    postgres.execute("CREATE DATABASE norn OWNER norn")
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NORN_")}
    project = f"norn-test-{os.getpid()}"
    compose = Compose(
        {
            **kept,
            "COMPOSE_PROJECT_NAME": project,
            "NORN_IMAGE": f"{project}:try",
            "NORN_STORE_PASSWORD": PASSWORD,
            "NORN_HOST_DIR": str(home / "data"),
            "NORN_POSTGRES_PORT": str(postgres.port),
            "NORN_PORT": str(port),
            "NORN_BROKER_PORT": str(broker.port),
            "NORN_URL": f"http://127.0.0.1:{port}",
            "NORN_DATA_DIR": str(home / "data"),
            "DOCKER_BUILDKIT": "0",
            "COMPOSE_DOCKER_CLI_BUILD": "0",
            "NO_COLOR": "1",
        }
    )
    try:
        compose.run("build", "--quiet", "api")
        compose.run("run", "--rm", "--no-deps", "schema")
        compose.run("up", "--detach", "--no-deps", *SERVICES)
        wait_until(lambda: _answers(port), 90, "the API answers")
        yield compose
    finally:
        _tidy(compose, project)
        broker.stop()
        postgres.execute("DROP DATABASE norn WITH (FORCE)")
        postgres.execute("DROP ROLE norn")


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/api/version", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def _tidy(compose: Compose, project: str) -> None:
    """Takes away the containers and the image of the project, and what was built through it."""
    compose.run("rm", "--force", "--stop", "-v", check=False)
    for name in (f"{project}:try", *_built()):
        subprocess.run(["docker", "rmi", "--force", name], capture_output=True, check=False)


def _built() -> list[str]:
    named = ["docker", "images", "--quiet", "--filter", "label=norn.io/app=composed"]
    return subprocess.run(named, capture_output=True, text=True, check=True).stdout.split()


@pytest.fixture(scope="module")
def deployed(compose: Compose, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What `norn deploy` says of a function, from a directory that no container sees."""
    directory = tmp_path_factory.mktemp("composed")
    (directory / "infraspec.yaml").write_text("app: composed\nrole: function\ncommand: cat\n")
    (directory / "Dockerfile").write_text("FROM busybox:stable\n")
    return compose.norn("deploy", str(directory))


def test_the_image_deploys(deployed: str) -> None:
    assert "composed is live as release 1" in deployed


def test_the_image_invokes(compose: Compose, deployed: str) -> None:
    assert compose.norn("invoke", "composed", "--body", "through containers") == "through containers"


def test_every_part_that_runs_is_well(compose: Compose, deployed: str) -> None:
    told = _ran([str(BIN / "norn"), "health"], compose.environment, 60).stdout
    well = [part for part in ("database", "broker", "worker:deploy", "worker:invoke", "beat", "engine") if part in told]
    assert len(well) == 6 and re.search(r"engine +ok", told), told


def test_a_worker_in_a_container_leaves_when_it_is_drained(compose: Compose, deployed: str) -> None:
    name = next(line.split()[0] for line in compose.norn("worker", "list").splitlines() if line.startswith("observe@"))
    assert compose.norn("worker", "drain", name) == f"{name} has left\n"
