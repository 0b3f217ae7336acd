"""Error messages while the engine, the broker or the database does not run; after its start everything works again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from norn_tasks.domain.wording import log_of
from norn_tasks.store.database import migrate
from tests.e2e import apps
from tests.e2e.conftest import clean_up, new_stack
from tests.e2e.refusals import Printed, Told, ask, error_lines, norn, told
from tests.e2e.stack import CLASSES, Stack, seconds_since
from tests.servers import Broker, Postgres, allowed, wait_until

LATER = {"Prefer": "respond-async"}


@pytest.fixture(scope="module")
def database(private_dir: Path) -> Iterator[Postgres]:
    """A PostgreSQL of this module, which the tests stop."""
    server = Postgres(private_dir / "errors-pg")
    server.execute("CREATE DATABASE template")
    migrate.upgrade(server.url("template"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def stack(database: Postgres, private_dir: Path, engine_address: str) -> Iterator[Stack]:
    """A whole Norn on stores of its own, with a deployed function `echo` and a running webserver `site`."""
    home = private_dir / "errors"
    broker = Broker(home / "broker")
    stack = new_stack(database, broker.url, home, NORN_ENGINE_PATIENCE="2")
    stack.broker = broker
    try:
        stack.start()
        apps.add_web(stack, "site", "exec httpd -f -p 8080 -h /www")
        apps.deploy_function(stack, "echo", more="function:\n  timeout: 10\n")
        stack.norn("forge", "site")
        stack.norn("deploy", "site")
        yield stack
    finally:
        stack.stop()
        clean_up(stack)
        broker.stop()


def check(stack: Stack, name: str) -> dict[str, str]:
    """Returns one check of the server's health; empty if no check has the name."""
    checks = ask(stack, "GET", "/api/health").json()["checks"]
    return next(({str(k): str(v) for k, v in each.items()} for each in checks if each["name"] == name), {})


def is_well(stack: Stack) -> bool:
    """Returns True if every part is healthy. The alert of a deploy that failed without an engine stays open."""
    health = httpx.get(f"{stack.url}/api/health", timeout=10).json()
    parts = [check["status"] for check in health["checks"] if check["name"] != "alerts"]
    return len(parts) > 2 and set(parts) == {"ok"}


def replace_workers(stack: Stack, **environment: str) -> None:
    """Replaces the worker of each class by another one."""
    for name in CLASSES:
        stack.kill_group(name)
        stack.spawn(name, **environment)


@pytest.fixture(scope="class")
def no_engine(stack: Stack) -> Iterator[None]:
    """Replaces the workers by ones that have no engine; afterwards starts the usual ones again."""
    replace_workers(stack, NORN_DOCKER_HOST="unix:///nonexistent/engine.sock")
    told_of = "SELECT 1 FROM workers HAVING count(*) FILTER (WHERE engine_error IS NULL) = 0"
    wait_until(lambda: stack.rows(told_of), allowed(30), "every worker has told of the engine")
    yield
    replace_workers(stack)
    wait_until(lambda: is_well(stack), allowed(60), "every health check is ok again")


@pytest.mark.usefixtures("no_engine")
class TestWithoutAnEngine:
    """The workers' engine is a socket at which nobody listens."""

    WORDS = "the container engine at unix:///nonexistent/engine.sock does not answer"
    HINT = "is the engine running? `docker info` on the worker's machine says more"

    def test_health(self, stack: Stack) -> None:
        wanted = error_lines("the server is degraded: engine", check(stack, "engine")["hint"])
        assert norn(stack, "health") == Printed(1, wanted + "\n")

    def test_the_check(self, stack: Stack) -> None:
        hint = "start Docker; `docker info` on the worker's machine says more"
        assert check(stack, "engine") == {
            "name": "engine", "status": "fail", "message": self.WORDS, "hint": hint
        }  # fmt: skip

    def test_a_call(self, stack: Stack) -> None:
        answer = ask(stack, "POST", "/fn/echo", content=b"x")
        assert told(answer) == Told(503, "engine_down", self.WORDS, "norn health")
        assert "Retry-After" in answer.headers

    def test_norn_invoke(self, stack: Stack) -> None:
        assert norn(stack, "invoke", "echo") == Printed(1, error_lines(self.WORDS, "norn health", "engine_down") + "\n")

    def test_norn_deploy(self, stack: Stack) -> None:
        assert norn(stack, "deploy", "echo").end == (
            6,
            error_lines(f"build-image: {self.WORDS}", self.HINT, "engine_down"),
        )
        job = stack.rows("SELECT state, error FROM jobs WHERE app = 'echo' AND kind = 'deploy' ORDER BY id DESC")[0]
        error = {"code": "engine_down", "sentence": self.WORDS, "hint": self.HINT}
        assert job == {"state": "error", "error": error}

    def test_logs(self, stack: Stack) -> None:
        answer = ask(stack, "GET", "/api/apps/site/logs")
        assert told(answer) == Told(503, "engine_down", self.WORDS, "norn health")

    def test_norn_logs(self, stack: Stack) -> None:
        assert norn(stack, "logs", "site") == Printed(1, error_lines(self.WORDS, "norn health", "engine_down") + "\n")


def is_answered(stack: Stack) -> bool:
    """Returns True if a synchronous call gets its response."""
    return ask(stack, "POST", "/fn/echo", content=b"x").status_code == 200


@pytest.fixture(scope="class")
def no_broker(stack: Stack) -> Iterator[None]:
    """Stops the broker; afterwards starts it, and checks that calls get responses again.

    A broker that responded within the last second still counts as reachable.
    """
    assert stack.broker is not None
    stack.broker.stop()
    time.sleep(1.1)
    yield
    stack.broker.start()
    wait_until(lambda: is_answered(stack), allowed(60), "a call is answered")


@pytest.mark.usefixtures("no_broker")
class TestWithoutABroker:
    """The broker is stopped."""

    WORDS = "the broker does not take messages right now"

    def test_the_first_call(self, stack: Stack) -> None:
        start = time.monotonic()
        answer = ask(stack, "POST", "/fn/echo", content=b"x")
        assert told(answer) == Told(503, "unavailable", self.WORDS, "norn health")
        assert ("Retry-After" in answer.headers, seconds_since(start) < allowed(2)) == (True, True)

    @pytest.mark.parametrize("words", [["invoke", "echo"], ["logs", "site"]], ids=str)
    def test_norn_with_what_waits_for_an_answer(self, stack: Stack, words: list[str]) -> None:
        assert norn(stack, *words) == Printed(1, error_lines(self.WORDS, "norn health", "unavailable") + "\n")

    def test_an_asynchronous_call_is_accepted_within_a_second(self, stack: Stack) -> None:
        start = time.monotonic()
        answer = ask(stack, "POST", "/fn/echo", content=b"x", headers=LATER)
        assert (answer.status_code, seconds_since(start) < allowed(1)) == (202, True)

    def test_norn_deploy_is_accepted(self, stack: Stack) -> None:
        assert norn(stack, "deploy", "echo", "--detach").exit == 0

    def test_health(self, stack: Stack) -> None:
        found = check(stack, "broker")
        assert (found["status"], found["message"]) == ("fail", "the broker does not answer")
        printed = norn(stack, "health")
        assert printed.exit == 1
        assert "the server is degraded:" in str(printed)
        assert found["hint"] in str(printed)


def test_what_was_accepted_without_a_broker_is_done(stack: Stack) -> None:
    """One call and one deploy, both accepted while no message could be sent."""
    waiting = "SELECT id FROM jobs WHERE app = 'echo' AND state IN ('queued', 'running')"
    wait_until(lambda: not stack.rows(waiting), allowed(60), "the accepted jobs have ended")
    newest = "SELECT DISTINCT ON (kind) kind, state FROM jobs WHERE app = 'echo' AND NOT sync ORDER BY kind, id DESC"
    states = {row["kind"]: row["state"] for row in stack.rows(newest)}
    assert (states["deploy"], states["invoke"]) == ("succeeded", "succeeded")


@pytest.fixture(scope="class")
def no_database(stack: Stack, database: Postgres) -> Iterator[None]:
    """Stops PostgreSQL; afterwards starts it, and waits until everything is healthy."""
    database.stop()
    yield
    database.start()
    wait_until(lambda: is_well(stack), allowed(60), "every health check is ok again")


@pytest.mark.usefixtures("no_database")
class TestWithoutADatabase:
    """PostgreSQL is stopped."""

    WORDS = ("the database does not answer: Connection refused", "the database did not answer a moment ago")

    @pytest.mark.parametrize(
        ("method", "path", "request_"),
        [
            ("GET", "/api/apps", {}),
            ("POST", "/api/apps/echo/deploy", {"json": {}}),
            ("POST", "/fn/echo", {"content": b"x"}),
            ("POST", "/fn/echo", {"content": b"x", "headers": LATER}),
            ("PUT", "/api/apps/new", {"content": "app: new\n", "headers": {"Content-Type": "text/yaml"}}),
            ("GET", "/api/events/stream", {}),
        ],
    )
    def test_any_request(self, stack: Stack, method: str, path: str, request_: dict[str, Any]) -> None:
        start = time.monotonic()
        answer = ask(stack, method, path, **request_)
        assert seconds_since(start) < allowed(3)
        found = told(answer)
        assert (found.status, found.code, found.hint) == (503, "database_down", "norn health")
        assert found.sentence in self.WORDS
        assert "Retry-After" in answer.headers

    @pytest.mark.parametrize("words", [["status"], ["deploy", "echo"], ["invoke", "echo"], ["cron", "list"]], ids=str)
    def test_norn(self, stack: Stack, words: list[str]) -> None:
        assert norn(stack, *words) in [
            Printed(1, error_lines(each, "norn health", "database_down") + "\n") for each in self.WORDS
        ]

    def test_health(self, stack: Stack) -> None:
        found = check(stack, "database")
        assert found["message"] in self.WORDS
        wanted = error_lines("the server is down: database", f"start PostgreSQL; {log_of('postgres')}")
        assert norn(stack, "health") == Printed(1, wanted + "\n")


def test_everything_works_again(stack: Stack) -> None:
    """After all failures: a call, a deploy and a read of the logs succeed."""
    wait_until(lambda: stack.norn("health", check=False).returncode == 0, allowed(60), "everything is well again")
    assert stack.norn("invoke", "echo", "--body", "back\n").stdout == b"back\nfrom POST /\n"
    stack.norn("deploy", "echo")
    stack.norn("logs", "site")
