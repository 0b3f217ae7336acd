"""The image of deploy/Dockerfile, as docker-compose.yml runs it on stores of the tests: it deploys, routes and invokes.

PostgreSQL and valkey are the tests' own, because the images of the file's stores need a registry.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg2
import pytest

from norn_tasks.domain.jobs.job import JobClass
from tests.e2e.stack import BIN
from tests.servers import Broker, Postgres, allowed, free_port, wait_until

ROOT = Path(__file__).parents[2]
BASE = "python:3.11-slim"
PASSWORD = "0123456789abcdef"
SERVERS = ("services-postgres", "services-kv")
SERVICES = ("api", "worker-deploy", "worker-invoke", "worker-cron", "worker-observe", "beat", "router", *SERVERS)
INVOKE_WORKERS, INVOKE_SLOTS = 3, 5

FUNCTION = """\
app: composed
role: function
command: cat
services: {postgres: {database: composed_db}, kv: {namespace: composed}}
migrations: {command: sh /migrate}
"""
MIGRATE = """\
for url in "$DATABASE_URL" "$KV_URL"; do
  at=${url##*@} at=${at%%/*}
  nc -w 3 "${at%%:*}" "${at##*:}" </dev/null && echo "${at%%:*} answers"
done
"""

pytestmark = pytest.mark.timeout(600)


def _ran(argv: list[str], environment: Mapping[str, str], seconds: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, cwd=ROOT, env=dict(environment), capture_output=True, text=True, check=False, timeout=seconds
    )


@dataclass(frozen=True)
class Compose:
    """A project of docker-compose.yml. `environment` is what a user would write into .env, and the server address for
    norn.
    """

    environment: Mapping[str, str]

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs docker-compose."""
        done = _ran(["docker-compose", *words], self.environment, 500)
        assert not check or done.returncode == 0, (
            f"docker-compose {words}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        )
        return done

    def norn(self, *words: str) -> str:
        """Runs norn as a user on the same machine; returns its output."""
        done = _ran([str(BIN / "norn"), *words], self.environment, 180)
        assert done.returncode == 0, (
            f"norn {words}\n{done.stdout}\n{done.stderr}\n{self.run('logs', check=False).stdout}"
        )
        return done.stdout


@pytest.fixture(scope="module")
def base(engine_address: str) -> None:
    """The image that Norn's image is built on; if it is missing, the program in NORN_TEST_IMAGES must make it."""
    if subprocess.run(["docker", "image", "inspect", BASE], capture_output=True, check=False).returncode == 0:
        return
    maker = os.environ.get("NORN_TEST_IMAGES")
    made = subprocess.run(
        [maker or "docker", *([] if maker else ["pull"]), BASE], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.fail(f"there is no image {BASE}: set NORN_TEST_IMAGES to a program that makes it\n{made.stderr[-1000:]}")


@pytest.fixture(scope="module")
def compose(base: None, postgres: Postgres, private_dir: Path) -> Iterator[Compose]:
    """The image is built, and its containers run on stores of the tests' own."""
    home = private_dir / "compose"
    home.mkdir()
    broker = Broker(home / "broker")
    broker.client().config_set("requirepass", PASSWORD)
    postgres.execute("CREATE ROLE norn SUPERUSER LOGIN")
    postgres.execute("CREATE DATABASE norn OWNER norn")
    port, first = free_port(), free_port(51)
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
            "NORN_ROUTER_PORT_FIRST": str(first),
            "NORN_ROUTER_PORT_LAST": str(first + 50),
            "NORN_WORKERS_INVOKE": str(INVOKE_SLOTS),
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
        compose.run("up", "--detach", "--no-deps", "--scale", f"worker-invoke={INVOKE_WORKERS}", *SERVICES)
        _await_api(compose, port)
        yield compose
    finally:
        _tidy(compose, project, postgres.url("norn"))
        broker.stop()
        postgres.execute("DROP DATABASE norn WITH (FORCE)")
        postgres.execute("DROP ROLE norn")


def _await_api(compose: Compose, port: int) -> None:
    """Waits until the API responds; a failure shows the containers and their output."""
    try:
        wait_until(lambda: _answers(port), 180, "the API answers")
    except AssertionError as error:
        seen = [compose.run(*words, check=False).stdout for words in (("ps",), ("logs", "--tail", "40"))]
        raise AssertionError("\n".join([str(error), *seen])) from error


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/api/version", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def _tidy(compose: Compose, project: str, database_url: str) -> None:
    """Removes the containers and the image of the project, and everything that was made through it."""
    compose.run("rm", "--force", "--stop", "-v", check=False)
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT name FROM instance")
        own = f"label=norn.io/instance={cursor.fetchall()[0][0]}"
    _remove("rm", "ps", "--all", "--filter", own)
    _remove("rmi", "images", "--filter", own)
    subprocess.run(["docker", "rmi", "--force", f"{project}:try"], capture_output=True, check=False)


def _remove(how: str, *listing: str) -> None:
    found = subprocess.run(["docker", *listing, "--quiet"], capture_output=True, text=True, check=True).stdout.split()
    if found:
        subprocess.run(["docker", how, "--force", *found], capture_output=True, check=False)


def notes(compose: Compose) -> list[Path]:
    """Returns the files in which the shared servers of apps write their addresses."""
    return [Path(compose.environment["NORN_HOST_DIR"]) / "services" / f"{name}.json" for name in ("postgres", "kv")]


@pytest.fixture(scope="module")
def deployed(compose: Compose, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The output of `norn deploy` for a function, from a directory that no container sees."""
    directory = tmp_path_factory.mktemp("composed")
    (directory / "infraspec.yaml").write_text(FUNCTION)
    (directory / "Dockerfile").write_text("FROM busybox:stable\nCOPY migrate /migrate\n")
    (directory / "migrate").write_text(MIGRATE)
    wait_until(lambda: all(map(Path.exists, notes(compose))), allowed(60), "the servers of apps run")
    return compose.norn("deploy", str(directory))


def test_the_image_deploys(deployed: str) -> None:
    assert "composed is live as release 1" in deployed


def test_the_image_invokes(compose: Compose, deployed: str) -> None:
    assert compose.norn("invoke", "composed", "--body", "through containers") == "through containers"


def test_the_servers_of_apps_are_reached_and_a_migration_is_saved_first(compose: Compose, deployed: str) -> None:
    log = compose.norn("jobs", "list", "--kind", "deploy", "-o", "json", "--app", "composed")
    (job,) = json.loads(log)["items"]
    assert (
        compose.norn("jobs", "logs", str(job["id"]), "--step", "migrate-database").count("norn-services answers") == 2
    )
    (snapshot,) = json.loads(compose.norn("db", "snapshots", "composed", "-o", "json"))["items"]
    file = Path(compose.environment["NORN_HOST_DIR"]) / "snapshots" / f"composed-{snapshot['id']}.dump"
    assert (snapshot["reason"], file.read_bytes()[:5]) == ("deploy", b"PGDMP")


def test_every_part_is_well(compose: Compose, deployed: str) -> None:
    checks = json.loads(_ran([str(BIN / "norn"), "health", "-o", "json"], compose.environment, 60).stdout)["checks"]
    parts = {"database", "broker", "beat", "engine", "router", *(f"worker:{each}" for each in JobClass)}
    assert {check["name"] for check in checks if check["status"] == "ok"} >= parts, checks


def test_scaled_workers_are_as_many_workers_with_the_slots_of_the_setting(compose: Compose) -> None:
    listed = json.loads(compose.norn("worker", "list", "-o", "json"))["items"]
    slots = {worker["name"]: worker["slots"] for worker in listed if worker["class"] == "invoke"}
    assert list(slots.values()) == [INVOKE_SLOTS] * INVOKE_WORKERS


def test_one_of_the_scaled_workers_drains_and_is_replaced_and_the_others_stay(compose: Compose) -> None:
    before = _names(compose, "invoke")
    assert compose.norn("worker", "drain", min(before)) == f"{min(before)} has left\n"
    wait_until(lambda: len(_names(compose, "invoke")) == INVOKE_WORKERS, allowed(60), "another worker is there")
    assert _names(compose, "invoke") & before == before - {min(before)}


def test_a_webserver_is_reached_through_the_router(compose: Compose, tmp_path: Path) -> None:
    spec = "app: composedweb\nrole: webserver\nport: 8080\nhealthcheck: /passwd\ncommand: httpd -f -p 8080 -h /etc\n"
    (tmp_path / "infraspec.yaml").write_text(spec)
    (tmp_path / "Dockerfile").write_text("FROM busybox:stable\n")
    compose.norn("deploy", str(tmp_path))
    url = json.loads(compose.norn("status", "composedweb", "-o", "json"))["url"]
    wait_until(lambda: httpx.get(f"{url}/passwd", timeout=5).text.startswith("root:"), 30, "the router answers")


def _names(compose: Compose, job_class: str) -> set[str]:
    listed = json.loads(compose.norn("worker", "list", "-o", "json"))["items"]
    return {worker["name"] for worker in listed if worker["class"] == job_class}


def test_a_worker_in_a_container_leaves_when_it_is_drained(compose: Compose, deployed: str) -> None:
    (name,) = _names(compose, "observe")
    assert compose.norn("worker", "drain", name) == f"{name} has left\n"
