"""A forge applies a changed infraspec to a live app and loses no request; a second forge changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e import loss_free
from tests.e2e.stack import Stack
from tests.servers import allowed, wait_until

APP = loss_free.APP
BLUE = f"app: {APP}\nrole: webserver\nport: 8080\nhealthcheck: /blue\nreplicas: 2\nenv: {{COLOUR: blue}}\n"
GREEN = f"app: {APP}\nrole: webserver\nport: 9090\nhealthcheck: /green\nreplicas: 3\nenv: {{COLOUR: green}}\n"
SERVE = """# Process 1: it exits at once on SIGTERM, and everything that is open breaks with it.
trap 'exit 0' TERM
nc -ll -p "$PORT" -e /app/connection.sh &
wait
"""
CONNECTION = """#!/bin/sh
# Every answer names the colour; of the two healthchecks only the colour's own is answered well.
while read -r method path rest; do
  while read -r field && [ "${#field}" -gt 1 ]; do :; done
  case "$path" in /|/slow|"/$COLOUR") status='200 OK' ;; *) status='500 Broken' ;; esac
  printf 'HTTP/1.1 %s\\r\\nContent-Length: %d\\r\\n\\r\\n' "$status" "${#COLOUR}"
  [ "$path" != /slow ] || usleep 300000
  printf %s "$COLOUR"
done
"""

pytestmark = pytest.mark.timeout(500)


@dataclass(frozen=True)
class Forged:
    """The results of the clients during a forge, and the replicas after it and after a second one."""

    clients: loss_free.Clients
    after: list[dict[str, Any]]
    again: list[dict[str, Any]]
    said: str
    planned: list[dict[str, Any]]


def _write(stack: Stack, spec: str) -> None:
    files = {"Dockerfile": loss_free.DOCKERFILE, "serve.sh": SERVE, "connection.sh": CONNECTION}
    (stack.add_app(APP, spec, files) / "connection.sh").chmod(0o755)


def _replicas(stack: Stack) -> list[dict[str, Any]]:
    return stack.rows("SELECT container, release, state, address FROM replicas WHERE app = %s ORDER BY container", APP)


@pytest.fixture(scope="module")
def forged(stack: Stack) -> Forged:
    """A live webserver whose env, port, healthcheck and number of replicas a forge changes under load."""
    _write(stack, BLUE)
    stack.norn("forge", APP)
    stack.norn("deploy", APP)
    url = str(stack.json("status", APP)["url"])
    with loss_free.Clients(url, rate=40, late=allowed(10)).at_work() as clients:
        wait_until(lambda: clients.answers["blue"] >= 200, allowed(30), "the first release answers")
        _write(stack, GREEN)
        planned = stack.json("plan", APP)["changes"]
        stack.norn("forge", APP)
        after, green = _replicas(stack), clients.answers["green"]
        again = stack.norn("forge", APP)
        wait_until(lambda: clients.answers["green"] >= green + 400, allowed(60), "the new release answers")
    print(clients.told())
    return Forged(clients, after, _replicas(stack), (again.stdout + again.stderr).decode(), planned)


def test_no_request_is_lost(forged: Forged) -> None:
    assert (forged.clients.asked >= 600, dict(forged.clients.failures)) == (True, {})


def test_env_port_healthcheck_and_replicas_of_the_changed_spec_are_live(forged: Forged) -> None:
    assert set(forged.clients.answers) == {"blue", "green"}
    assert [(each["release"], each["state"], each["address"].endswith(":9090")) for each in forged.after] == [
        (2, "live", True)
    ] * 3


def test_the_release_has_the_image_and_the_revision_of_the_one_before(forged: Forged, stack: Stack) -> None:
    first, second = stack.rows("SELECT image_id, revision FROM releases WHERE app = %s ORDER BY n", APP)
    assert first == second


def test_a_second_forge_changes_nothing_and_says_so(forged: Forged, stack: Stack) -> None:
    assert forged.again == forged.after
    assert "nothing to change" in forged.said
    assert stack.rows("SELECT max(n) AS n FROM releases WHERE app = %s", APP) == [{"n": 2}]


def test_the_plan_named_what_changed(forged: Forged) -> None:
    assert {each["field"]: (each["before"], each["after"], each["by"]) for each in forged.planned} == {
        "port": ("8080", "9090", "forge"),
        "healthcheck": ("/blue", "/green", "forge"),
        "replicas": ("2", "3", "forge"),
        "env.COLOUR": ("blue", "green", "forge"),
    }
