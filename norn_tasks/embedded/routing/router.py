"""Starts and ends the router, and reports its state.

The router keeps running after `norn down`, so that the apps' addresses still respond. Each `norn up` starts a new
router, which takes over the sockets of the old one.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from norn_tasks.embedded.errors import NotStarted
from norn_tasks.embedded.paths import DataPaths
from norn_tasks.embedded.stores import postgres
from norn_tasks.embedded.supervision.supervisor import Process
from norn_tasks.embedded.supervision.watch import LINES, tail
from norn_tasks.router_socket import RouterProcess, running_router
from norn_tasks.settings import Settings

SAVED_TABLE = "routes.json"
"""The file in the data directory with the router's last routing table."""
KEEPER = "norn_tasks.embedded.routing.keeper"
START_SECONDS, HUNG_SECONDS = 60.0, 20.0
"""How long a router may take to start, and how long a running router may fail to answer before it is killed."""
STOP_SECONDS = 20.0
"""How long the router may take to end: it waits five seconds for open requests."""
LOG_MAX, LOGS_KEPT = 10 * 2**20, 3


def running(settings: Settings, where: DataPaths) -> RouterProcess | None:
    """Returns the router of this data directory; None if none is running."""
    return running_router(settings.database_url or postgres.url(where))


def as_process(router: RouterProcess | None) -> Process:
    """Returns the router in the form in which the supervisor's processes are shown."""
    now = int(time.time())
    if router is None:
        return Process("router", "STOPPED", 0, 0, now)
    try:
        began = int(Path(f"/proc/{router.pid}").stat().st_ctime)
    except OSError:
        began = now
    return Process("router", "RUNNING", router.pid, began, now)


class RouterStart:
    """The start of a router by `norn up`; the new router replaces a running one."""

    def __init__(self, settings: Settings, where: DataPaths, environment: Mapping[str, str]) -> None:
        self._settings, self._where = settings, where
        self._environment = dict(environment)
        self._before = running(settings, where)
        self._keeper: subprocess.Popen[bytes] | None = None
        self._began = 0.0

    def begin_by_saved_table(self) -> None:
        """Starts a router before the stores, if none is running and a saved routing table exists, so that apps respond
        immediately.
        """
        if self._before is None and (self._where.data / SAVED_TABLE).exists():
            self.begin()

    def begin(self) -> None:
        """Starts the router and the process that restarts it, in a session of its own, unless that was already done."""
        if self._keeper is not None:
            return
        self._began = time.monotonic()
        log = self._where.log / "router.log"
        _rotate(log)
        with os.fdopen(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as output:
            self._keeper = subprocess.Popen(
                [sys.executable, "-m", KEEPER, str(self._where.data)],
                cwd=self._where.data,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                umask=0o077,
            )

    def wait(self) -> None:
        """Waits until the router has taken the addresses; raises NotStarted if it ends or takes too long."""
        deadline = self._began + START_SECONDS
        while not self._has_taken_over():
            if self._keeper is None or self._keeper.poll() is not None or time.monotonic() > deadline:
                log = self._where.log / "router.log"
                said = "\n".join(f"    {line}" for line in tail(log, LINES))
                raise NotStarted(f"the router does not start; its log ends:\n{said}", hint=f"the whole log: {log}")
            time.sleep(0.1)

    def _has_taken_over(self) -> bool:
        router = running(self._settings, self._where)
        if router is None:
            return False
        if self._before is None or router.pid != self._before.pid:
            return True
        if router.apps is None and time.monotonic() > self._began + HUNG_SECONDS:
            with suppress(ProcessLookupError):
                os.kill(router.pid, signal.SIGKILL)
        return False


def stop_unless_needed(settings: Settings, where: DataPaths) -> RouterProcess | None:
    """Ends the router if no app has an address; otherwise leaves it running and returns it."""
    router = running(settings, where)
    if router is not None and router.apps != 0:
        return router
    stop(settings, where)
    return None


def stop(settings: Settings, where: DataPaths) -> None:
    """Ends the router, and older routers that still serve their last clients; kills those that do not end."""
    ended = [file for pid in _processes(settings, where) if (file := _asked_to_end(pid)) is not None]
    deadline = time.monotonic() + STOP_SECONDS
    for file in ended:
        if not select.select([file], [], [], max(0.0, deadline - time.monotonic()))[0]:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(file, signal.SIGKILL)
        os.close(file)


def _processes(settings: Settings, where: DataPaths) -> set[int]:
    router = running(settings, where)
    return {*_keepers(where), *([router.pid] if router else [])}


def _keepers(where: DataPaths) -> Iterator[int]:
    """Yields the pids of the processes that keep routers of this data directory running, found by their command
    lines.
    """
    end = b"\0".join((b"-m", KEEPER.encode(), os.fsencode(where.data), b""))
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and (entry / "cmdline").read_bytes().endswith(end):
                yield int(entry.name)


def _asked_to_end(pid: int) -> int | None:
    """Sends SIGTERM; returns a file descriptor that becomes readable when the process has ended, or None if it has
    ended.
    """
    try:
        file = os.pidfd_open(pid)
        signal.pidfd_send_signal(file, signal.SIGTERM)
    except ProcessLookupError:
        return None
    return file


def _rotate(log: Path) -> None:
    """Renames a log that is too long, after renaming the older ones."""
    if not log.exists() or log.stat().st_size < LOG_MAX:
        return
    names = [log, *(log.with_name(f"{log.name}.{n}") for n in range(1, LOGS_KEPT + 1))]
    for older, newer in zip(names[:0:-1], names[-2::-1], strict=True):
        if newer.exists():
            newer.replace(older)
