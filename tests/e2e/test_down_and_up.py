"""Norn stops and starts again, as for an upgrade, while clients use an app: none of their requests fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from norn_tasks.embedded.paths import data_paths
from norn_tasks.embedded.stores import postgres
from norn_tasks.router_socket import RouterProcess, running_router
from tests.e2e.machine import Client, Machine
from tests.servers import wait_until

SPEC = "app: {name}\nrole: webserver\nport: 8080\nhealthcheck: /\ncommand: {command}\n"
COMMAND = "mkdir /tmp/w; echo served > /tmp/w/index.html; exec httpd -f -p 8080 -h /tmp/w"


@pytest.fixture
def machine(private_dir: Path, engine_address: str) -> Iterator[Machine]:
    machine = Machine(private_dir / "down-and-up")
    try:
        yield machine
    finally:
        machine.clean_up(engine_address)


def router(machine: Machine) -> RouterProcess | None:
    return running_router(postgres.url(data_paths(Path(machine.environment["NORN_DATA_DIR"]))))


@pytest.mark.timeout(400)
def test_no_request_fails_over_norn_down_and_norn_up(machine: Machine) -> None:
    machine.add(machine.name, SPEC.format(name=machine.name, command=COMMAND), Dockerfile="FROM busybox:stable\n")
    machine.norn("up")
    machine.norn("forge", machine.name)
    machine.norn("deploy", machine.name)
    url = str(machine.told("status", machine.name)["url"])
    wait_until(lambda: httpx.get(url, timeout=5).status_code == 200, 30, "the address responds")
    clients = [Client(url), Client(url, keeps=True)]
    for client in clients:
        client.start()
    first = router(machine)

    said = machine.norn("down")
    assert first is not None
    assert f"Apps keep running, and their addresses respond: the router stays (pid {first.pid})." in said
    assert router(machine) == first
    machine.norn("up")
    second = router(machine)
    assert second is not None
    assert (second.pid != first.pid, second.apps) == (True, 1)
    machine.norn("restart", machine.name)

    for client in clients:
        client.stop()
    print(f"{[client.answers for client in clients]} answers")
    assert ([client.failures for client in clients], min(client.answers for client in clients) > 50) == ([[], []], True)
    wait_until(lambda: not Path(f"/proc/{first.pid}").exists(), 30, "the first router has ended")

    assert "stopping the router" in machine.norn("down", "--all")
    assert router(machine) is None
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, timeout=5)
