"""A real API process for one test: gunicorn with its threads, over the test's database and broker."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import httpx

from tests import forks
from tests.servers import free_port, wait_until


class ApiProcess:
    """Gunicorn on a loopback port, with a data directory of its own."""

    def __init__(self, home: Path, database_url: str, broker_url: str, **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.token_file = home / "token"
        self._log = home / "api.log"
        given = {"NORN_DATA_DIR": str(home), "NORN_DATABASE_URL": database_url, "NORN_BROKER_URL": broker_url}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("NORN_")} | given
        environment |= {f"NORN_{name.upper()}": value for name, value in settings.items()}
        argv = [
            sys.executable, "-m", "gunicorn", "norn_api.wsgi:application", "-k", "norn_api.heads.HeadsFirst",
            "--workers", settings.get("api_workers", "1"), "--logger-class", "norn_api.logs.GunicornLog",
            "--threads", "600", "--graceful-timeout", "5", "--bind", f"127.0.0.1:{self.port}",
        ]  # fmt: skip
        self.process = forks.start(argv, environment, Path.cwd(), self._log)
        wait_until(self._ready, 120, "the API answers")

    def _ready(self) -> bool:
        assert self.process.poll() is None, self._log.read_text()
        try:
            return httpx.get(f"{self.url}/api/version").status_code == 200 and self.token_file.exists()
        except httpx.TransportError:
            return False

    def log(self) -> str:
        """Returns everything that the process has logged."""
        return self._log.read_text()

    def client(self, seconds: float = 30) -> httpx.Client:
        """Returns an HTTP client with the bootstrap token."""
        headers = {"Authorization": f"Bearer {self.token_file.read_text().strip()}"}
        limits = httpx.Limits(max_connections=None)
        return httpx.Client(base_url=self.url, headers=headers, timeout=seconds, limits=limits)

    def stop(self) -> None:
        """Sends SIGTERM to the process, and waits for its end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)
