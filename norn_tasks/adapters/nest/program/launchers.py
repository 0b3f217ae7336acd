"""Processes that wait in the cgroups of future sandboxes; each becomes crun when a run starts.

With version 1 of cgroups, the kernel needs some 15 ms to move a process into the cgroups of a sandbox. Launchers enter
the cgroups in advance, so that no run has to wait for this. A launcher contains nothing of any image or run.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
import time
from collections import deque
from pathlib import Path

from norn_tasks.adapters.nest.program import cgroups, crun
from norn_tasks.adapters.nest.program.pipes import Pipes

_AHEAD, _LEAST = 16, 4
"""The most launchers that wait, and the number below which more are made while a run starts."""
_PATIENCE = 20.0
"""The most seconds for which a run waits for its launcher."""
_SHELL = "/bin/busybox"
_ENTER = 'for each in {root}/*{parent}/"$name"/cgroup.procs; do echo 0 >"$each" || exit 1; done; '
_WAIT = 'read -r start <&3 || exit 1; exec 3<&-; exec "$@"'
log = logging.getLogger(__name__)


class Launcher:
    """A process that waits in the cgroups of the sandbox `name`, with the directory and the streams of that sandbox."""

    def __init__(self, name: str, directory: Path) -> None:
        """Starts the process; raises OSError."""
        self.name, self.directory = name, directory
        self.directory.mkdir()
        self._start: int | None = None
        try:
            entering = cgroups.make(name)
            self.pipes = Pipes()
            self.process = self._spawned(entering=entering)
        except OSError:
            cgroups.remove(name)
            shutil.rmtree(directory, ignore_errors=True)
            raise
        crun.await_end_of(self.process)

    def _spawned(self, *, entering: bool) -> int:
        script = f'name="$1"; shift; {_ENTER.format(root=cgroups.ROOT, parent=cgroups.PARENT) if entering else ""}'
        starts, start = os.pipe()
        streams = [(os.POSIX_SPAWN_DUP2, each, number) for number, each in enumerate((*self.pipes.of_sandbox, starts))]
        words = [_SHELL, "sh", "-c", script + _WAIT, "sh", self.name, *crun.command(self.name, self.directory)]
        try:
            process = os.posix_spawn(_SHELL, words, {"PATH": "/usr/bin:/bin"}, file_actions=streams)
        except OSError:
            os.close(start)
            self.pipes.close()
            raise
        finally:
            os.close(starts)
            self.pipes.close_sandbox_ends()
        self._start = start
        return process

    def launch(self) -> int:
        """Lets the process become crun, and returns the pid of the sandbox's first process.

        Raises SandboxNotStarted or OSError.
        """
        with contextlib.suppress(BrokenPipeError):  # it has ended; its status says so
            self._release(b"\n")
        crun.require_success(crun.wait(self.process), self.directory)
        return crun.first_process(self.directory)

    def _discard(self) -> None:
        """Ends a process that has not become crun."""
        self._release(b"")
        crun.wait(self.process)
        self.pipes.close()

    def _release(self, word: bytes) -> None:
        start, self._start = self._start, None
        assert start is not None
        try:
            os.write(start, word)
        finally:
            os.close(start)

    def remove(self, *, ended: bool) -> None:
        """Removes the cgroups, crun's files and the directory of a sandbox; `ended`: its processes have all ended."""
        if self._start is not None:
            self._discard()
        if ended and cgroups.remove(self.name):
            crun.forget(self.name)
        else:
            crun.delete(self.name)
            cgroups.remove(self.name)
        shutil.rmtree(self.directory, ignore_errors=True)


class Launchers:
    """Launchers that are ready for a run; each is used once."""

    def __init__(self, directory: Path, life: str, patience: float = _PATIENCE) -> None:
        self._directory, self._life, self._count = directory, life, 0
        self._patience, self._trouble = patience, "the machine is slow"
        self._ready: deque[Launcher] = deque()
        self._changed, self._filling = threading.Condition(), True
        directory.mkdir(parents=True, exist_ok=True)
        threading.Thread(target=self._keep, daemon=True).start()

    def take(self) -> Launcher:
        """Returns a launcher for one run; waits until one is ready, and raises OSError if that takes too long."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._ready, self._patience):
                raise OSError(f"no launcher was ready within {self._patience:g} s: {self._trouble}")
            taken = self._ready.popleft()
            if len(self._ready) < _LEAST:
                self._fill()
            return taken

    def refill(self) -> None:
        """Makes more launchers; called when a run has ended, so that launchers are not made while a run starts."""
        with self._changed:
            self._fill()

    def _fill(self) -> None:
        self._filling = len(self._ready) < _AHEAD
        self._changed.notify_all()

    def _keep(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._filling)
            self._count += 1
            name = f"{self._life}-{self._count}"
            try:
                made = Launcher(name, self._directory / name)
            except OSError as error:
                log.warning("no launcher: %s", error)
                self._trouble = str(error)
                time.sleep(1)
                continue
            with self._changed:
                self._ready.append(made)
                self._filling = len(self._ready) < _AHEAD
                self._changed.notify_all()
