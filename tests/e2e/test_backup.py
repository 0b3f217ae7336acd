"""A control plane is saved while it runs and put back into a fresh directory, on the same engine; apps serve on.

`norn up`, deploy, `norn backup`, `norn down`, `norn restore` elsewhere, `norn up` there, deploy again.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest

from tests.e2e.stack import BIN
from tests.servers import free_port, wait_until

WEB = """
app: {name}
role: webserver
port: 8080
healthcheck: /
secrets: [GREETING]
command: mkdir /tmp/w; echo $(cat /version) $GREETING > /tmp/w/index.html; exec httpd -f -p 8080 -h /tmp/w
"""
CRON = "app: report\nrole: cron\nschedule: '0 9 * * *'\ncommand: date\n"


class Machine:
    """A machine with Norn on it: one set of apps and ports, one data directory at a time."""

    def __init__(self, home: Path) -> None:
        self.home, self.apps = home, home / "apps"
        self.name = f"app-{uuid.uuid4().hex[:8]}"
        """An app of this run: by it its containers are told from others on the engine."""
        port, first = free_port(), free_port()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("NORN_")},
            "PATH": f"{BIN}:{os.environ['PATH']}", "NORN_APPS_DIR": str(self.apps), "NORN_PORT": str(port),
            "NORN_URL": f"http://127.0.0.1:{port}", "NORN_ROUTER_PORT_FIRST": str(first),
            "NORN_ROUTER_PORT_LAST": str(first + 5), "NO_COLOR": "1", "XDG_CONFIG_HOME": str(home / "config"),
        }  # fmt: skip
        self.live_in("first")

    def live_in(self, name: str) -> None:
        """Names the data directory."""
        self.environment["NORN_DATA_DIR"] = str(self.home / name)

    def norn(self, *words: str) -> str:
        """Runs a command, which must succeed."""
        done = subprocess.run(
            [str(BIN / "norn"), *words], env=self.environment, capture_output=True, text=True, timeout=240
        )
        assert done.returncode == 0, f"norn {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def told(self, *words: str) -> Any:
        """Runs a command and reads what it answers as JSON."""
        return json.loads(self.norn(*words, "-o", "json"))

    def add(self, name: str, spec: str, **files: str) -> None:
        """Writes an app's directory."""
        (self.apps / name).mkdir(parents=True, exist_ok=True)
        for file, text in {"infraspec.yaml": spec, **files}.items():
            (self.apps / name / file).write_text(text)

    def clean_up(self, engine_address: str) -> None:
        """Stops Norn, and removes what it made of this run's app on the engine."""
        subprocess.run([str(BIN / "norn"), "down"], env=self.environment, capture_output=True, timeout=200)
        client, mine = docker.DockerClient(base_url=engine_address), {"label": f"norn.io/app={self.name}"}
        for container in client.containers.list(all=True, filters=mine):
            container.remove(force=True)
        for image in client.images.list(filters=mine):
            client.images.remove(image.id, force=True)
        client.close()


class Client(threading.Thread):
    """Somebody who asks an address all the time and counts what goes wrong."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url, self._done = url, threading.Event()
        self.answers, self.failures = 0, list[str]()

    def run(self) -> None:
        while not self._done.wait(0.05):
            try:
                self.failures += [] if httpx.get(self._url, timeout=5).status_code == 200 else ["status"]
                self.answers += 1
            except httpx.HTTPError as error:
                self.failures.append(repr(error))

    def stop(self) -> None:
        self._done.set()
        self.join()


@pytest.fixture
def machine(private_dir: Path, engine_address: str) -> Iterator[Machine]:
    machine = Machine(private_dir / "saved")
    try:
        yield machine
    finally:
        machine.clean_up(engine_address)


def image(version: str, machine: Machine) -> str:
    """Answers a Dockerfile of this run: what an earlier run left is of no use to it."""
    return f"FROM busybox:stable\nRUN : {machine.home}; echo {version} > /version\n"


def web(machine: Machine) -> dict[str, Any]:
    return dict(machine.told("status", machine.name))


def containers(engine_address: str, app: str) -> dict[str, str]:
    """Answers the app's containers and where each answers."""
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
    machine.norn("down")
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
