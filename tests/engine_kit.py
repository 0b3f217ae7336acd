"""A container engine that a test may kill: a second dockerd in a network namespace of its own.

It shares nothing with the machine's engine: data, sockets, pid file, network and containerd are its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import docker

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.domain.errors import EngineDown
from tests.servers import wait_until

IMAGE = "busybox:stable"


class PrivateEngine:
    """An engine with its data in `home`. With `live_restore`, containers continue while the engine is stopped, and its
    next start finds them.
    """

    def __init__(self, home: Path, *, live_restore: bool) -> None:
        self.home = home
        self.address = f"unix://{home}/engine.sock"
        self.namespace = f"norn-test-{os.getpid()}-{home.name}"
        self._live_restore = live_restore
        self.process: subprocess.Popen[bytes] | None = None
        home.mkdir(parents=True)
        subprocess.run(["ip", "netns", "add", self.namespace], check=True, capture_output=True)
        self._inside("ip", "link", "set", "lo", "up")
        self.start()
        saved = subprocess.run(["docker", "save", IMAGE], check=True, capture_output=True).stdout
        subprocess.run(["docker", "-H", self.address, "load"], input=saved, check=True, capture_output=True)

    def start(self) -> None:
        """Starts the engine and waits until it responds."""
        argv = [
            "nsenter", f"--net=/run/netns/{self.namespace}", "dockerd", f"--data-root={self.home}/data",
            f"--exec-root={self.home}/exec", f"--pidfile={self.home}/engine.pid", f"--host={self.address}",
            f"--live-restore={str(self._live_restore).lower()}", "--shutdown-timeout=5",
        ]  # fmt: skip
        self._argv = argv
        try:
            wait_until(self._answers, 60, "the engine answers")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{(self.home / 'log').read_text()[-3000:]}") from error

    def kill(self) -> None:
        """Kills the engine with SIGKILL, and its containerd with it; processes in containers survive."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def client(self) -> docker.DockerClient:
        """Returns a client of the engine."""
        return docker.DockerClient(base_url=self.address, timeout=20)

    def stop(self) -> None:
        """Ends the engine and all its containers, and removes their data."""
        self.start()
        client = self.client()
        for container in client.containers.list(all=True):
            container.remove(force=True)
        client.close()
        assert self.process is not None
        self.process.terminate()
        self.process.wait(30)
        time.sleep(0.5)
        subprocess.run(["ip", "netns", "del", self.namespace], check=True, capture_output=True)
        self._unmount()
        shutil.rmtree(self.home, ignore_errors=True)

    def _unmount(self) -> None:
        for line in Path("/proc/self/mounts").read_text().splitlines():
            point = line.split()[1]
            if point.startswith(f"{self.home}/"):
                subprocess.run(["umount", "-l", point], check=False, capture_output=True)

    def _answers(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            # Starts the engine again if it has ended, as a supervisor would: processes of the killed one may still be
            # running.
            with (self.home / "log").open("ab") as log:
                self.process = subprocess.Popen(self._argv, stdout=log, stderr=log, start_new_session=True)
        try:
            EngineClient(self.address, timeout=2).now()
        except EngineDown:
            return False
        return True

    def _inside(self, *argv: str) -> None:
        subprocess.run(["ip", "netns", "exec", self.namespace, *argv], check=True, capture_output=True)
