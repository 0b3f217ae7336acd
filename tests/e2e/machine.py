"""A machine with a complete Norn, which `norn up` started, and clients of its apps."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import uuid
from pathlib import Path
from typing import Any

import docker
import httpx

from tests.e2e.stack import BIN
from tests.servers import free_port


class Machine:
    """A machine with Norn: one set of apps and ports, and one data directory at a time."""

    def __init__(self, home: Path) -> None:
        self.home, self.apps = home, home / "apps"
        self.name = f"app-{uuid.uuid4().hex[:8]}"
        """An app name of this run only, by which its containers on the engine are recognized."""
        port, first = free_port(), free_port(6)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("NORN_")},
            "PATH": f"{BIN}:{os.environ['PATH']}", "NORN_APPS_DIR": str(self.apps), "NORN_PORT": str(port),
            "NORN_URL": f"http://127.0.0.1:{port}", "NORN_ROUTER_PORT_FIRST": str(first),
            "NORN_ROUTER_PORT_LAST": str(first + 5), "NO_COLOR": "1", "XDG_CONFIG_HOME": str(home / "config"),
        }  # fmt: skip
        self.live_in("first")

    def live_in(self, name: str) -> None:
        """Sets the data directory."""
        self.environment["NORN_DATA_DIR"] = str(self.home / name)

    def norn(self, *words: str) -> str:
        """Runs a command that must succeed."""
        done = subprocess.run(
            [str(BIN / "norn"), *words], env=self.environment, capture_output=True, text=True, timeout=240
        )
        assert done.returncode == 0, f"norn {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def told(self, *words: str) -> Any:
        """Runs a command and parses its output as JSON."""
        return json.loads(self.norn(*words, "-o", "json"))

    def add(self, name: str, spec: str, **files: str) -> None:
        """Writes an app's directory."""
        (self.apps / name).mkdir(parents=True, exist_ok=True)
        for file, text in {"infraspec.yaml": spec, **files}.items():
            (self.apps / name / file).write_text(text)

    def clean_up(self, engine_address: str) -> None:
        """Stops Norn, and removes everything of this run's app from the engine."""
        subprocess.run([str(BIN / "norn"), "down", "--all"], env=self.environment, capture_output=True, timeout=200)
        client, mine = docker.DockerClient(base_url=engine_address), {"label": f"norn.io/app={self.name}"}
        for container in client.containers.list(all=True, filters=mine):
            container.remove(force=True)
        for image in client.images.list(filters=mine):
            client.images.remove(image.id, force=True)
        client.close()


class Client(threading.Thread):
    """Requests an address twenty times a second and counts failures.

    `keeps`: uses one connection as long as the server keeps it open.
    """

    def __init__(self, url: str, *, keeps: bool = False) -> None:
        super().__init__(daemon=True)
        self._url, self._done = url, threading.Event()
        self._get = httpx.Client().get if keeps else httpx.get
        self.answers, self.failures = 0, list[str]()

    def run(self) -> None:
        while not self._done.wait(0.05):
            try:
                self.failures += [] if self._get(self._url, timeout=5).status_code == 200 else ["status"]
                self.answers += 1
            except httpx.HTTPError as error:
                self.failures.append(repr(error))

    def stop(self) -> None:
        self._done.set()
        self.join()
