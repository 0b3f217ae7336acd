"""The control plane is saved while it runs, and restored into a fresh directory on the same engine. During all this,
the apps serve.

`norn up`, deploy, `norn backup`, `norn down`, `norn restore` elsewhere, `norn up` there, deploy again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest

from tests.e2e.machine import Client, Machine
from tests.servers import wait_until

WEB = """
app: {name}
role: webserver
port: 8080
healthcheck: /
secrets: [GREETING]
command: mkdir /tmp/w; echo $(cat /version) $GREETING > /tmp/w/index.html; exec httpd -f -p 8080 -h /tmp/w
"""
CRON = "app: report\nrole: cron\nschedule: '0 9 * * *'\ncommand: date\n"


@pytest.fixture
def machine(private_dir: Path, engine_address: str) -> Iterator[Machine]:
    machine = Machine(private_dir / "saved")
    try:
        yield machine
    finally:
        machine.clean_up(engine_address)


def image(version: str, machine: Machine) -> str:
    """Returns a Dockerfile that is different in every run, so that the cache of earlier runs does not apply."""
    return f"FROM busybox:stable\nRUN : {machine.home}; echo {version} > /version\n"


def web(machine: Machine) -> dict[str, Any]:
    return dict(machine.told("status", machine.name))


def containers(engine_address: str, app: str) -> dict[str, str]:
    """Returns the app's containers, each with its address."""
    client = docker.DockerClient(base_url=engine_address)
    found = client.containers.list(filters={"label": f"norn.io/app={app}"})
    client.close()
    networks = {each.id: next(iter(each.attrs["NetworkSettings"]["Networks"].values())) for each in found}
    return {container: network["IPAddress"] for container, network in networks.items()}


@pytest.mark.timeout(400)
def test_a_control_plane_comes_back_and_its_apps_never_went(machine: Machine, engine_address: str) -> None:
    machine.add(machine.name, WEB.replace("{name}", machine.name), Dockerfile=image("one", machine))
    machine.add("report", CRON, Dockerfile="FROM busybox:stable\n")
    machine.norn("up")
    machine.norn("secrets", "set", machine.name, "GREETING=hello")
    for app in (machine.name, "report"):
        machine.norn("forge", app)
        machine.norn("deploy", app)
    machine.norn("cron", "pause", "report", "--reason", "audit")
    wait_until(lambda: web(machine)["replicas"], 30, "the replica is seen")
    before = {"web": web(machine), "deployments": machine.told("deployments", machine.name)}
    ((replica, address),) = containers(engine_address, machine.name).items()
    client = Client(f"http://{address}:8080/")
    client.start()

    machine.norn("backup", str(machine.home / "norn.backup"))
    machine.norn("down", "--all")
    machine.live_in("second")
    machine.norn("restore", str(machine.home / "norn.backup"))
    machine.norn("up")

    url = before["web"]["url"]
    wait_until(lambda: httpx.get(url, timeout=5).status_code == 200, 30, "the old address answers")
    wait_until(lambda: not machine.told("jobs", "list", "--state", "queued")["items"], 60, "all is reconciled")
    assert list(containers(engine_address, machine.name)) == [replica]
    assert machine.told("deployments", machine.name)["items"][0]["id"] == before["deployments"]["items"][0]["id"]
    assert machine.told("status", "report")["schedule"]["paused"]["reason"] == "audit"
    client.stop()
    print(f"{client.answers} answers, {len(client.failures)} failures while it was saved and put back")
    assert (client.failures, client.answers > 20) == ([], True)

    machine.add(machine.name, WEB.replace("{name}", machine.name), Dockerfile=image("two", machine))
    machine.norn("deploy", machine.name)
    assert httpx.get(url, timeout=5).text == "two hello\n", "the new release, with the secret of before"
