"""A registry for tests: Debian's docker-registry on a loopback port, for one user."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path

import httpx

from tests.servers import free_port, wait_until

USER, PASSWORD = "norn", "in-the-test"
_HTPASSWD = f"{USER}:$2y$05$abcdefghijklmnopqrstuur3PLmx9d8Rm6sWHe2i7b8rPA9FiMbxS\n"

_CONFIGURATION = """
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {home}/data}}}}
http: {{addr: "127.0.0.1:{port}"}}
auth: {{htpasswd: {{realm: tests, path: {home}/htpasswd}}}}
"""


class DockerRegistry:
    """A registry in `home`; `config` is a docker config.json with its credentials."""

    def __init__(self, home: Path) -> None:
        assert shutil.which("docker-registry"), "these tests need docker-registry: deploy/prepare test installs it"
        self.home, self.port = home, free_port()
        self.address = f"127.0.0.1:{self.port}"
        home.mkdir(parents=True)
        (home / "htpasswd").write_text(_HTPASSWD)
        (home / "config.yml").write_text(_CONFIGURATION.format(home=home, port=self.port))
        self.config = home / "config.json"
        auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        self.config.write_text(json.dumps({"auths": {self.address: {"auth": auth}}}))
        with (home / "log").open("ab") as log:
            argv = ["docker-registry", "serve", str(home / "config.yml")]
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=home)
        wait_until(self._answers, 30, "the registry answers")

    def stop(self) -> None:
        """Ends the registry."""
        self.process.kill()
        self.process.wait(10)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"http://{self.address}/v2/", timeout=2).status_code == 401
        except httpx.HTTPError:
            return False
