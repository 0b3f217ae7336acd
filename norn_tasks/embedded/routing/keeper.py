"""`python -m norn_tasks.embedded.routing.keeper DATA_DIRECTORY`: starts the router, and starts it again when it dies.

This process belongs to no supervisor, so that the apps' addresses respond while Norn is stopped or upgraded. It ends
when its router ends normally: after SIGTERM, or because the router of a later `norn up` has replaced it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

from norn_tasks.router_socket import running_router

ROUTER = (sys.executable, "-m", "norn_tasks.router")
PAUSE_MAX = 10.0
LASTED_SECONDS = 60.0
"""A router that has run for at least this long is restarted without a pause."""


class Keeper:
    """Runs a router, and restarts it when it dies."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._stopped = threading.Event()
        self._router: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        """Asks the router to end, and does not restart it."""
        self._stopped.set()
        if self._router is not None:
            self._router.terminate()

    def keep(self) -> int:
        """Runs routers, one after the other, until one ends normally; returns its exit code."""
        pause, more = 0.0, ["--take-over"]
        while True:
            began = time.monotonic()
            code = self._run_to_its_end(more)
            if code == 0 or self._stopped.is_set():
                return code
            pause = 0.0 if time.monotonic() - began > LASTED_SECONDS else min(pause + 1, PAUSE_MAX)
            print(f"the router ended with exit code {code}; it is started again after {pause:.0f} s", flush=True)
            if self._stopped.wait(pause):
                return code
            more = []
            if running_router(self._database_url) is not None:
                return code  # another router has replaced this one

    def _run_to_its_end(self, more: list[str]) -> int:
        self._router = subprocess.Popen([*ROUTER, *more], stdin=subprocess.DEVNULL)
        if self._stopped.is_set():  # SIGTERM arrived before the router was started
            self._router.terminate()
        return self._router.wait()


def main() -> int:
    """Keeps a router running until SIGTERM."""
    keeper = Keeper(os.environ["NORN_DATABASE_URL"])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: keeper.stop())
    return keeper.keep()


if __name__ == "__main__":
    sys.exit(main())
