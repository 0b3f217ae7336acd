"""`python -m norn_tasks.embedded.edge`: opens the ports, drops root's rights, and keeps Caddy running on these ports.

If Caddy is killed, it is started again on the same sockets, so connections wait and are not refused. If the edge cannot
serve, it keeps trying; its log and `norn doctor` say why. The rest of Norn runs without it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from norn_tasks import settings
from norn_tasks.domain.errors import NornError
from norn_tasks.embedded.edge import rights
from norn_tasks.embedded.edge.caddy_config import caddy_config
from norn_tasks.embedded.edge.listening import EdgeSockets, open_sockets
from norn_tasks.embedded.edge.reports import Reports
from norn_tasks.embedded.paths import data_paths
from norn_tasks.settings import Settings

RETRY_SECONDS = 2.0
PAUSE_MAX = 10.0
LASTED_SECONDS = 30.0
"""If Caddy has run for at least this long, it is restarted without a pause."""
AT_ONCE = 5
"""Up to this many quick ends in a row, Caddy is restarted without a pause; after that, the pause grows."""
_KEPT = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "GOMEMLIMIT", "GOMAXPROCS")


class CaddyProcess:
    """Runs Caddy on the sockets of this process, and starts Caddy again when it ends."""

    def __init__(self, read: Settings) -> None:
        self._settings = read
        self._directory = read.edge_dir
        self._reports = Reports(self._directory)
        self._stopped = threading.Event()
        self._caddy: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        """Asks Caddy to end, and does not restart it."""
        self._stopped.set()
        if self._caddy is not None:
            self._caddy.terminate()

    def run(self) -> int:
        """Serves until `stop`; returns the exit code."""
        where = data_paths(self._settings.data_dir)
        account = rights.choose(where, self._directory)
        program = rights.reachable(rights.find_program(), account, self._directory)
        sockets = self._opened()
        if sockets is None:
            return 0
        rights.drop(account)
        config = self._configure(sockets)
        self._reports.serving()
        print(
            f"the edge listens on ports {self._settings.edge_http_port} and {self._settings.edge_https_port}",
            flush=True,
        )
        return self._keep([*account.prefix, str(program), "run", "--config", str(config)], sockets)

    def _opened(self) -> EdgeSockets | None:
        said = ""
        while not self._stopped.is_set():
            try:
                return open_sockets(self._settings.edge_http_port, self._settings.edge_https_port)
            except NornError as error:
                if error.sentence != said:
                    print(error.rendered, flush=True)
                    self._reports.trouble(error)
                said = error.sentence
            self._stopped.wait(RETRY_SECONDS)
        return None

    def _configure(self, sockets: EdgeSockets) -> Path:
        path = self._directory / "caddy.json"
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(json.dumps(caddy_config(self._settings, self._directory / "storage", sockets.files)))
        return path

    def _keep(self, command: list[str], sockets: EdgeSockets) -> int:
        ended = 0
        while not self._stopped.is_set():
            began = time.monotonic()
            code = self._run_to_its_end(command, sockets)
            if self._stopped.is_set():
                break
            ended = 0 if time.monotonic() - began > LASTED_SECONDS else ended + 1
            pause = min(max(0, ended - AT_ONCE), PAUSE_MAX)
            print(f"Caddy ended with exit code {code}; it is started again after {pause:g} s", flush=True)
            self._stopped.wait(pause)
        return 0

    def _run_to_its_end(self, command: list[str], sockets: EdgeSockets) -> int:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        home = {name: str(self._directory) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
        self._caddy = subprocess.Popen(
            command,
            cwd="/",
            env=kept | home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=sockets.files,
            preexec_fn=rights.end_with_parent,
        )
        if self._stopped.is_set():  # SIGTERM arrived before Caddy was started
            self._caddy.terminate()
        assert self._caddy.stdout is not None
        for line in self._caddy.stdout:
            sys.stdout.buffer.write(line)
            sys.stdout.flush()
            self._reports.read_line(line)
        return self._caddy.wait()


def main() -> int:
    """Runs the edge until SIGTERM."""
    try:
        edge = CaddyProcess(settings.load())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: edge.stop())
        return edge.run()
    except NornError as error:
        print(error.rendered, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
