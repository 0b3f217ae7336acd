"""One run in the nest: its sandbox from start to end, its streams, and the resources that it used."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from norn_tasks.adapters.nest.program import cgroups, crun, frames, sandbox
from norn_tasks.adapters.nest.program.frames import Link
from norn_tasks.adapters.nest.program.kept import KeptOutput
from norn_tasks.adapters.nest.program.launchers import Launcher, Launchers
from norn_tasks.adapters.nest.program.network.networks import Networks

log = logging.getLogger(__name__)
_INFRASTRUCTURE = 125
KINDS = {1: frames.STDOUT, 2: frames.STDERR}


@dataclass(frozen=True)
class Means:
    """The parts that each run takes from the nest: a launcher, a network, and the filter of system calls."""

    launchers: Launchers
    networks: Networks
    seccomp: str


class NestRun:
    """A run that is reserved, running or ended. It deletes its description when it starts, because the description
    contains secrets.
    """

    def __init__(self, wanted: dict[str, Any], stdin: bytes, image: tuple[dict[str, Any], str]) -> None:
        self.id, self.name, self.owner = str(wanted["id"]), str(wanted["name"]), str(wanted["owner"])
        self.app, self.fence, self.outlives = str(wanted["app"]), int(wanted["fence"]), bool(wanted["outlives"])
        self.image = str(wanted["image"])
        self.born, self.begun, self.ended = time.time(), False, threading.Event()
        self.started_at: float | None = None
        self._wanted, self._stdin, self._image = wanted, stdin, image
        self._launcher: Launcher | None = None
        self._network: Path | None = None
        self._kept = {stream: KeptOutput() for stream in KINDS} if self.outlives else {}
        self._lock, self._signalling = threading.Lock(), threading.Lock()
        self._link: Link | None = None
        self._end: dict[str, Any] = {"code": _INFRASTRUCTURE, "said": "the nest could not run it"}
        self._process: int | None = None
        self._killed, self._reported = False, False
        self._reserved, self._stages = time.monotonic(), dict[str, float]()

    @property
    def running(self) -> bool:
        """True while its code runs."""
        return self._process is not None

    def belongs_to(self, link: Link) -> bool:
        """Returns True if this connection is the one that last took over the run."""
        return self._link is link

    def take(self, link: Link) -> None:
        """Gives the run to a connection and sends the output so far; closes the connection of the earlier owner."""
        self.cut()
        with self._lock:
            self._link = link
            if not self.begun:
                return
            if self.started_at is not None:
                link.send(frames.STARTED, {"at": self.started_at})
            for stream, kept in self._kept.items():
                head, dropped, tail = kept.parts()
                link.send(KINDS[stream], head)
                if dropped:
                    link.send(frames.SKIPPED, {"stream": stream, "count": dropped})
                link.send(KINDS[stream], tail)
            if self._reported:
                link.send(frames.END, self._end)

    def cut(self) -> None:
        """Closes the connection of the run's owner, even while a write to it is blocked."""
        link = self._link
        if link is not None:
            link.cut()

    def kill(self, number: int = signal.SIGKILL) -> bool:
        """Sends a signal to the run's first process; returns False if that process is not running.

        If SIGKILL is sent before the process exists, the process is killed as soon as it does.
        """
        with self._signalling:
            self._killed = self._killed or number == signal.SIGKILL
            if self._process is None:
                return False
            with contextlib.suppress(ProcessLookupError):  # the process has just ended
                signal.pidfd_send_signal(self._process, number)
            return True

    def play(self, means: Means) -> None:
        """Makes the sandbox, and waits for its end."""
        self._reached("start")
        try:
            self._launcher = launcher = means.launchers.take()
            self._network = means.networks.take() if self._wanted["network"] != "none" else None
            self._describe(launcher, means.seccomp)
            self._reached("ready")
            self._run(launcher)
        except crun.SandboxNotStarted as error:
            self._end = {"code": error.code, "said": str(error)}
        except (OSError, ValueError) as error:
            log.warning("run %s: %s", self.name, error)
            self._end = {"code": _INFRASTRUCTURE, "said": str(error)}

    def _describe(self, launcher: Launcher, seccomp: str) -> None:
        """Writes the files of the sandbox, and sets its limits."""
        facts, root = self._image
        sandbox.write_files(self._wanted, launcher.directory)
        wanted = self._wanted | {"id": launcher.name}
        document = sandbox.described(wanted, facts, root, launcher.directory, self._network, seccomp)
        (launcher.directory / "config.json").write_text(json.dumps(document))
        self._wanted = {}
        cgroups.limit(launcher.name, document["linux"]["resources"])

    def report(self) -> None:
        """Sends the end of the run to its owner."""
        with self._lock:
            self._reported = True
            if self._link is not None:
                self._link.send(frames.END, self._end | {"stages": self._stages})

    def clear(self, means: Means) -> None:
        """Removes the rest of the sandbox, whose processes have ended."""
        try:
            if self._launcher is not None:
                self._launcher.remove(ended="finished" in self._end)
            if self._network is not None:
                means.networks.drop(self._network)
        finally:
            self._wanted = {}
            self.ended.set()
            means.launchers.refill()

    def _reached(self, stage: str) -> None:
        """Notes how many milliseconds after its reservation the run reached a stage for the first time."""
        self._stages.setdefault(stage, round((time.monotonic() - self._reserved) * 1000, 2))

    def _run(self, launcher: Launcher) -> None:
        stdin, self._stdin = self._stdin, b""
        try:
            first = launcher.launch()
        except (crun.SandboxNotStarted, OSError, ValueError):
            launcher.pipes.close()
            raise
        self._started(first)
        self._reached("launched")
        (launcher.directory / "config.json").unlink()
        assert self._process is not None
        launcher.pipes.carry(self._process, stdin, self._wrote)
        status = crun.wait(first)
        finished = time.time()
        self._reached("exited")
        with self._signalling:
            os.close(self._process)
            self._process = None
        by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        code = 128 + by if by else os.WEXITSTATUS(status)
        used = cgroups.account(launcher.name)
        self._end = {"code": code, "signal": by, "started": self.started_at, "finished": finished, **used}

    def _started(self, first: int) -> None:
        with self._signalling:
            self._process = os.pidfd_open(first)
            if self._killed:
                signal.pidfd_send_signal(self._process, signal.SIGKILL)
        with self._lock:
            self.started_at = time.time()
            if self._link is not None:
                self._link.send(frames.STARTED, {"at": self.started_at})

    def _wrote(self, stream: int, data: bytes) -> None:
        self._reached("output")
        with self._lock:
            if stream in self._kept:
                self._kept[stream].feed(data)
            if self._link is not None and not self._link.send(KINDS[stream], data):
                self._link = None
