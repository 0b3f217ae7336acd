"""The only module of a worker that starts programs (git, docker), each of them within limits.

A program runs as the child of `process_guard`, in a process group of its own. The group ends with the program, with
this call, or with this worker, whichever is first. The program gets no shell, no stdin, and only the given environment.
Output arrives line by line as it is written, with credentials in addresses redacted.
"""

from __future__ import annotations

import os
import selectors
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from norn_tasks.adapters.processes import process_guard
from norn_tasks.adapters.processes.lines import Lines
from norn_tasks.adapters.processes.redaction import without_credentials
from norn_tasks.domain.errors import StepFailed, TimedOut
from norn_tasks.ports import Say, Stop

_GUARD = [sys.executable, "-I", "-S", process_guard.__file__]
_LOOK = 0.2
"""Seconds between two checks of the stop, the time limit and `check` while a program writes nothing."""

_KEPT = 20
"""How many of a program's last lines are kept for error messages."""
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_INHERITED = ("PATH", "HOME", "DOCKER_CONFIG", *_PROXIES)


@dataclass(frozen=True)
class Command:
    """A program to run: its name in sentences (`the build`), and its limits.

    `say` gets every line of both streams, without its line end; if `hear` is given, it gets the lines of stdout
    instead. `check` is called a few times per second, and ends the program by raising an error. `hint` is shown if the
    program takes too long.
    """

    what: str
    argv: Sequence[str]
    env: Mapping[str, str]
    timeout: float
    say: Say
    stop: Stop
    cwd: Path | None = None
    hear: Say | None = None
    check: Callable[[], None] | None = None
    hint: str = ""


@dataclass(frozen=True)
class Completed:
    """How a program ended: its exit code (128 + n for signal n), and the last lines of its output."""

    code: int
    last_lines: tuple[str, ...] = field(default=())


def base_environment() -> dict[str, str]:
    """Returns the few environment variables that every program gets: some of the worker's own, and a language in which
    Norn can parse messages.
    """
    return {name: os.environ[name] for name in _INHERITED if name in os.environ} | {"LC_ALL": "C.UTF-8"}


def run(command: Command) -> Completed:
    """Runs a program to its end, and returns how it ended.

    Raises Stopped within a second after the stop is set, TimedOut after the time limit, and StepFailed if the program
    is not installed. Before it raises an error, it ends the program's complete process group.
    """
    program = shutil.which(command.argv[0], path=command.env.get("PATH", os.defpath))
    if program is None:
        raise StepFailed(f"{command.argv[0]} is not installed on this worker", hint=f"install {command.argv[0]} there")
    with _guarded(program, command) as process:
        return _ProcessRun(command, process).to_the_end()


@contextmanager
def _guarded(program: str, command: Command) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [*_GUARD, program, *command.argv[1:]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=command.cwd,
        env=dict(command.env),
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            # Closing the pipe to the guard ends the group, if it has not ended yet.
            _stream(process.stdin).close()
            process.wait()


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


class _ProcessRun:
    """Follows one program in one loop: its output, the stop, the time limit, and its end."""

    def __init__(self, command: Command, process: subprocess.Popen[bytes]) -> None:
        self._command = command
        self._process = process
        self._until = time.monotonic() + command.timeout
        self._last: deque[str] = deque(maxlen=_KEPT)
        self._selector = selectors.DefaultSelector()
        for stream in (_stream(process.stdout), _stream(process.stderr)):
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, selectors.EVENT_READ, Lines())

    def to_the_end(self) -> Completed:
        """Reads until the program has ended and all its output is passed on."""
        with self._selector:
            while self._process.poll() is None:
                self._look()
                self._read(_LOOK)
            # This reads what is left in the pipes without waiting for their ends, because a process that left the group
            # may keep them open.
            while self._read(0):
                pass
            for key in list(self._selector.get_map().values()):
                self._pass_on(key, key.data.end())
        return Completed(self._process.returncode, tuple(self._last))

    def _look(self) -> None:
        self._command.stop.check()
        if time.monotonic() > self._until:
            sentence = f"{self._command.what} took longer than its limit of {self._command.timeout:g} s"
            raise TimedOut(sentence, hint=self._command.hint)
        if self._command.check is not None:
            self._command.check()

    def _read(self, wait: float) -> bool:
        """Reads the available output, waiting at most `wait` seconds; returns False if there was none."""
        if not self._selector.get_map():
            # Both streams are closed but the program still runs, so this only waits for its end.
            self._wait(wait)
            return False
        ready = self._selector.select(wait)
        for key, _ in ready:
            data = os.read(key.fd, 65536)
            self._pass_on(key, key.data.feed(data) if data else key.data.end())
            if not data:
                self._selector.unregister(key.fileobj)
        return bool(ready)

    def _wait(self, seconds: float) -> None:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return

    def _pass_on(self, key: selectors.SelectorKey, lines: Iterator[str]) -> None:
        hear = self._command.hear if key.fileobj is self._process.stdout else None
        for line in lines:
            if hear is not None:
                hear(line)
                continue
            shown = without_credentials(line)
            self._last.append(shown)
            self._command.say(shown)
