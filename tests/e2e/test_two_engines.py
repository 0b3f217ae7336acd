"""Two engines and a registry: apps that may run anywhere run on either engine, others only on their home engine; an
engine without a registry is refused.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.domain.errors import EngineDown
from tests.apart import Apart, apart, end
from tests.e2e.apps import add_cron, add_function
from tests.e2e.conftest import clean_up, new_stack
from tests.e2e.stack import Stack
from tests.registry import DockerRegistry
from tests.servers import Broker, Postgres, allowed, wait_until

pytestmark = pytest.mark.timeout(300)


class Elsewhere:
    """Another machine with an engine of its own; its workers have names of the form `<name>@test`."""

    def __init__(self, machine: Apart, logs: Path, stack: Stack, ports: list[int]) -> None:
        self._machine, self._logs, self._stack = machine, logs, stack
        self.socket = machine.home / "engine.sock"
        self.address = f"unix:///proc/{machine.pid}/root{self.socket}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        for port in ports:
            machine.forward(port)
        self._start_engine()

    def _start_engine(self) -> None:
        home = self._machine.home
        self.processes["dockerd"] = self._machine.spawn(
            self._logs / "dockerd.log", self._stack.environment, "dockerd", f"--data-root={home}/docker",
            f"--exec-root={home}/exec", f"--pidfile={home}/dockerd.pid", f"--host=unix://{self.socket}",
            "--shutdown-timeout=5",
        )  # fmt: skip
        wait_until(self._answers, 90, "the second engine answers")
        busybox = subprocess.run(["docker", "save", "busybox:stable"], check=True, capture_output=True).stdout
        subprocess.run(["docker", "-H", self.address, "load"], input=busybox, check=True, capture_output=True)

    def _answers(self) -> bool:
        try:
            EngineClient(self.address, timeout=2).now()
        except EngineDown:
            return False
        return True

    def spawn(self, job_class: str, known_as: str, **environment: str) -> None:
        """Starts a worker on the other machine, and waits for its first report."""
        own = {
            "NORN_DATA_DIR": str(self._machine.home / "data"), "NORN_APPS_DIR": "",
            "NORN_DOCKER_HOST": f"unix://{self.socket}", "DOCKER_HOST": f"unix://{self.socket}",
        }  # fmt: skip
        self.processes[known_as] = self._machine.spawn(
            self._logs / f"{known_as}.log", {**self._stack.environment, **own, **environment},
            *self._stack.argv(job_class, known_as),
        )  # fmt: skip
        wait_until(lambda: worker(self._stack, known_as), 60, f"{known_as} speaks")

    def log(self, name: str) -> str:
        """Returns everything that a process of the other machine has logged."""
        return (self._logs / f"{name}.log").read_text("utf-8", "replace")

    def has_image(self, image_id: str) -> bool:
        """Returns True if the other machine's engine has the image."""
        client = docker.DockerClient(base_url=self.address)
        try:
            return image_id in {image.id for image in client.images.list()}
        finally:
            client.close()

    def stop(self) -> None:
        """Ends the workers, then the engine."""
        engine = self.processes.pop("dockerd")
        end(*self.processes.values())
        engine.terminate()
        engine.wait(30)


def worker(stack: Stack, known_as: str) -> dict[str, Any] | None:
    """Returns a worker as the server lists it."""
    return next((w for w in stack.json("worker", "list")["items"] if w["name"] == f"{known_as}@test"), None)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    registry = DockerRegistry(tmp_path_factory.mktemp("registry") / "home")
    yield registry
    registry.stop()


@pytest.fixture(scope="module")
def stack(postgres: Postgres, private_dir: Path, engine_address: str, registry: DockerRegistry) -> Iterator[Stack]:
    """A Norn whose home workers forge, deploy and observe; none of them runs calls or cron jobs."""
    home = private_dir / "home"
    home.mkdir(exist_ok=True)
    broker = Broker(home / "broker")
    shared = {"NORN_REGISTRY_URL": registry.address, "NORN_REGISTRY_CONFIG": str(registry.config)}
    stack = new_stack(postgres, broker.url, home, **shared)
    try:
        stack.start("api", "beat", "router", "deploy", "observe")
        wait_until(
            lambda: worker(stack, "deploy") and worker(stack, "observe"),
            allowed(60),
            "the workers of the home machine have reported",
        )
        yield stack
    finally:
        stack.stop()
        clean_up(stack)
        broker.stop()


@pytest.fixture(scope="module")
def elsewhere(
    stack: Stack, private_dir: Path, registry: DockerRegistry, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Elsewhere]:
    """The other machine; ports of its loopback interface lead to the stores and the registry."""
    urls = (stack.database_url, stack.environment["NORN_BROKER_URL"], f"tcp://{registry.address}")
    ports = [urllib.parse.urlsplit(url).port or 0 for url in urls]
    with apart(private_dir / "elsewhere") as machine:
        there = Elsewhere(machine, tmp_path_factory.mktemp("logs"), stack, ports)
        try:
            yield there
        finally:
            there.stop()


@pytest.fixture(scope="module")
def refused(stack: Stack, elsewhere: Elsewhere) -> str:
    """A worker on the other machine without a registry."""
    elsewhere.spawn("invoke", "refused", NORN_REGISTRY_URL="")
    return "refused"


@pytest.fixture(scope="module")
def hello(stack: Stack) -> str:
    """A function that was built and published on the home machine."""
    add_function(stack, "hello")
    stack.norn("forge", "hello")
    stack.norn("deploy", "hello")
    return "hello"


def job_engine(stack: Stack, kind: str, app: str) -> str:
    return str(
        stack.rows("SELECT engine FROM jobs WHERE kind = %s AND app = %s ORDER BY id DESC", kind, app)[0]["engine"]
    )


# Without a registry


def test_a_second_engine_without_a_registry_is_refused_with_the_setting(stack: Stack, refused: str) -> None:
    found = worker(stack, refused)
    assert found is not None and found["engine"] is None
    assert "NORN_REGISTRY_URL" in found["engine_error"]


def test_health_names_it(stack: Stack, refused: str) -> None:
    told = json.loads(stack.norn("health", "-o", "json", check=False).stdout)
    checks = {check["name"]: check for check in told["checks"]}
    assert (checks["engine"]["status"], "refused@test takes no work" in checks["engine"]["message"]) == ("warn", True)


def test_it_takes_no_work_and_leaves_when_it_is_drained(
    stack: Stack, elsewhere: Elsewhere, refused: str, hello: str
) -> None:
    stack.norn("invoke", hello, "--body", "x", "--async")
    assert stack.norn("worker", "drain", f"{refused}@test").stdout == b"refused@test has left\n"
    wait_until(lambda: elsewhere.processes[refused].poll() is not None, 40, "the drained worker is gone")
    assert "worker drains: it was asked to" in elsewhere.log(refused)
    assert stack.rows("SELECT state FROM jobs WHERE kind = 'invoke'") == [{"state": "queued"}]


# With a registry


@pytest.fixture(scope="module")
def joined(stack: Stack, elsewhere: Elsewhere, hello: str) -> Elsewhere:
    """The other machine with workers for calls and cron runs that have the registry."""
    for job_class in ("invoke", "cron"):
        elsewhere.spawn(job_class, f"{job_class}-elsewhere")
    return elsewhere


def test_a_published_release_carries_its_digest_and_may_run_anywhere(
    stack: Stack, registry: DockerRegistry, hello: str
) -> None:
    (release,) = stack.rows("SELECT published, engine FROM releases WHERE app = %s", hello)
    assert release["published"].startswith(f"{registry.address}/norn-") and "@sha256:" in release["published"]
    assert release["engine"] is None


def test_a_call_on_the_other_engine_pulls_the_image(stack: Stack, joined: Elsewhere, hello: str) -> None:
    assert stack.norn("invoke", hello, "--body", "over there").stdout.startswith(b"over there")
    (release,) = stack.rows("SELECT image_id FROM releases WHERE app = %s", hello)
    assert joined.has_image(release["image_id"])


def test_a_call_is_pinned_to_the_engine_that_has_its_container(stack: Stack, joined: Elsewhere, hello: str) -> None:
    stack.norn("invoke", hello, "--body", "x")
    found = worker(stack, "invoke-elsewhere")
    assert found is not None and job_engine(stack, "invoke", hello) == found["engine"]


def test_a_cron_run_runs_there_too(stack: Stack, joined: Elsewhere) -> None:
    add_cron(stack, "report", "echo reported")
    stack.norn("forge", "report")
    stack.norn("deploy", "report")
    assert stack.json("cron", "run", "report")["stdout"] == "reported\n"


def test_a_function_may_be_built_there_and_a_worker_may_not(stack: Stack, joined: Elsewhere) -> None:
    joined.spawn("deploy", "deploy-elsewhere")
    stack.norn("worker", "drain", "deploy@test")
    stack.add_app("ticker", "app: ticker\nrole: worker\ncommand: sleep 3600\n", {"Dockerfile": "FROM busybox:stable\n"})
    waiting = int(stack.json("forge", "ticker", "--detach")["job"])
    directory = stack.home / "upload"
    directory.mkdir()
    (directory / "infraspec.yaml").write_text("app: there\nrole: function\ncommand: cat\n")
    (directory / "Dockerfile").write_text("FROM busybox:stable\n")
    stack.norn("deploy", str(directory))
    assert stack.norn("invoke", "there", "--body", "built there").stdout == b"built there"
    assert stack.job(waiting)["state"] == "queued"
    stack.spawn("deploy")
    stack.await_state(waiting, ["succeeded"], 120)
    stack.norn("deploy", "ticker")
    home = worker(stack, "observe")
    assert home is not None and job_engine(stack, "deploy", "ticker") == home["engine"]


def test_looks_at_the_other_engine_leave_the_statuses_alone(stack: Stack, joined: Elsewhere) -> None:
    joined.spawn("observe", "observe-elsewhere")
    other = worker(stack, "observe-elsewhere")
    assert other is not None

    def looked() -> bool:
        return bool(
            stack.rows(
                "SELECT 1 FROM jobs WHERE kind = 'observe' AND engine = %s AND state = 'succeeded'", other["engine"]
            )
        )

    wait_until(looked, 60, "somebody looks at the other engine")
    assert stack.json("status", "ticker")["ready"] == 1


NOTICED_SECONDS = 10.0


@pytest.fixture
def both(stack: Stack, joined: Elsewhere) -> Elsewhere:
    """Both machines with workers for deploys and calls."""
    for job_class in ("deploy", "invoke"):
        if worker(stack, f"{job_class}-elsewhere") is None:
            joined.spawn(job_class, f"{job_class}-elsewhere")
    if worker(stack, "invoke") is None:
        stack.spawn("invoke")
    wait_until(lambda: worker(stack, "invoke"), 60, "the worker at home speaks")
    return joined


def elsewhere_error(stack: Stack, job_class: str) -> str | None:
    """Returns the error that a worker of the other machine reports about its engine; None if it reports none."""
    found = worker(stack, f"{job_class}-elsewhere")
    return found["engine_error"] if found else "it is not there"


def unnoticed(stack: Stack, name: str) -> None:
    """Waits until the workers of the other machine report the error of their engine. Then checks that the home machine
    still forges, deploys and calls apps, each within NOTICED_SECONDS.
    """
    began = time.monotonic()
    for job_class in ("deploy", "invoke"):
        wait_until(lambda: elsewhere_error(stack, job_class), 30, "its row says so")  # noqa: B023
    assert time.monotonic() - began < allowed(NOTICED_SECONDS)
    took: list[tuple[str, float]] = []
    for number in range(4):
        app = f"{name}{number}"
        add_function(stack, app)
        for words in (("forge", app), ("deploy", app), ("invoke", app, "--body", "at home")):
            began = time.monotonic()
            answer = stack.norn(*words).stdout
            took.append((words[0], round(time.monotonic() - began, 1)))
        assert answer.startswith(b"at home")
    waited = stack.rows("SELECT max(extract(epoch FROM first_claimed_at - created_at))::float8 AS most FROM jobs"
                        " WHERE app LIKE %s", f"{name}%")  # fmt: skip
    print(f"{name}: no job waited over {waited[0]['most']:.1f} s; {took}")
    assert max(seconds for _, seconds in took) < allowed(NOTICED_SECONDS), took


def test_ten_seconds_after_an_engine_has_frozen_nobody_else_notices_it(stack: Stack, both: Elsewhere) -> None:
    """Both machines have workers for deploys and calls, and the engine of one is frozen while they run."""
    both.processes["dockerd"].send_signal(signal.SIGSTOP)
    try:
        unnoticed(stack, "frozen")
    finally:
        both.processes["dockerd"].send_signal(signal.SIGCONT)
    for job_class in ("deploy", "invoke"):
        wait_until(lambda: not elsewhere_error(stack, job_class), allowed(30), "it is there again")  # noqa: B023


def test_ten_seconds_after_an_engine_has_died_nobody_else_notices_it(stack: Stack, both: Elsewhere) -> None:
    both.processes["dockerd"].kill()
    unnoticed(stack, "late")
