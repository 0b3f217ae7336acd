"""Runs a program inside a live pod: passes its streams to and from the client, and ends it when the client leaves.

The image's program `env` starts the program with a mark in its environment, and Norn finds the program by this mark
when it must end it. If the image has no `env`, the program has no mark, and continues after its client has left. Only
Kubernetes 1.30 and later can pass on the end of the input. A program whose client sends no input is therefore started
without stdin.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlencode

from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.adapters.kubernetes.objects.pod import CONTAINER
from norn_tasks.adapters.processes.marked import GENTLY, MARK, ending
from norn_tasks.domain.errors import ClusterDown, NornError, NotFound, StepFailed
from norn_tasks.ports import ExecCommand, Terminal, Typed

_STDIN, _STDOUT, _STDERR, _ERROR, _RESIZE = range(5)
_LOOK = 0.25
_PIECE = 32 * 1024
_NO_PROGRAM = ("executable file not found", "no such file or directory")


class PodExec:
    """One program in one pod."""

    def __init__(self, api: Api, pod: str, command: ExecCommand, terminal: Terminal) -> None:
        self._api = api
        self._pod = pod
        self._command = command
        self._terminal = terminal
        self._over = threading.Event()

    def run(self) -> int:
        """Runs the program to its end; returns its exit code. Raises NotFound, Stopped or ClusterDown."""
        first = self._terminal.typed(_LOOK)
        marked = ["env", f"{MARK}={self._command.mark}"]
        if self._command.term:
            marked.append(f"TERM={self._command.term}")
        try:
            return self._run([*marked, *self._command.argv], first)
        except _NoProgram as error:
            if '"env"' not in str(error):
                raise NotFound(f"the replica has no program {self._command.argv[0]}", hint=str(error)) from error
        try:
            return self._run(list(self._command.argv), first)
        except _NoProgram as error:
            raise NotFound(f"the replica has no program {self._command.argv[0]}", hint=str(error)) from error

    def _run(self, argv: list[str], first: Typed | None) -> int:
        typing = self._command.tty or first is None or not first.eof
        connection = self._connected(argv, stdin=typing)
        with self._ended_with_its_reader(connection):
            self._resize(connection, self._command.size)
            if typing:
                threading.Thread(target=self._type, args=[connection, first], name="norn-typed", daemon=True).start()
            said = b""
            for channel, piece in self._written(connection):
                if channel == _ERROR:
                    said += piece
                else:
                    self._terminal.wrote("stderr" if channel == _STDERR else "stdout", piece)
            return _exit_code(said)

    def _connected(self, argv: list[str], *, stdin: bool, tty: bool | None = None) -> Any:
        from kubernetes.stream import ws_client
        from websocket import WebSocketException

        tty = self._command.tty if tty is None else tty
        flags = {"stdin": stdin, "stdout": True, "stderr": not tty, "tty": tty}
        query = [("container", CONTAINER), *((name, str(on).lower()) for name, on in flags.items())]
        query += [("command", word) for word in argv]
        url = f"{self._api.url(self._api.path('Pod', self._pod))}/exec?{urlencode(query)}"
        headers = {name.lower(): value for name, value in self._api.headers().items()}
        try:
            library: Any = ws_client
            return library.WSClient(self._api.configuration, url.replace("http", "ws", 1), headers, False, binary=True)
        except WebSocketException as error:
            if "404" in str(error):
                gone = f"the replica of {self._command.app} ended at this moment"
                raise NotFound(gone, hint=f"norn status {self._command.app}") from error
            raise StepFailed(
                f"the cluster does not run programs in pods for Norn: {error}",
                hint="Norn needs the verb create on pods/exec: deploy/kubernetes/rbac.yaml",
            ) from error
        except OSError as error:
            raise ClusterDown(f"the API server does not answer: {error}") from error

    def _written(self, connection: Any) -> Iterator[tuple[int, bytes]]:
        """Yields the output until the connection ends."""
        while connection.is_open():
            self._terminal.stop.check()
            connection.update(timeout=_LOOK)
            yield from self._pieces(connection)
        yield from self._pieces(connection)

    def _pieces(self, connection: Any) -> Iterator[tuple[int, bytes]]:
        for channel in (_STDOUT, _STDERR, _ERROR):
            if data := connection.read_channel(channel):
                yield channel, data

    def _type(self, connection: Any, typed: Typed | None) -> None:
        """Passes the client's input on until the input, the program or the connection ends."""
        with suppress(Exception):  # the program may end at any moment, and then accepts no input
            while not self._over.is_set():
                if typed is not None and not self._hand_on(typed, connection):
                    return
                typed = self._terminal.typed(1.0)

    def _hand_on(self, typed: Typed, connection: Any) -> bool:
        self._resize(connection, typed.size)
        for at in range(0, len(typed.data), _PIECE):
            connection.write_channel(_STDIN, typed.data[at : at + _PIECE])
        if typed.eof:
            connection.close_channel(_STDIN)
        return not typed.eof

    def _resize(self, connection: Any, size: tuple[int, int] | None) -> None:
        if size is not None and self._command.tty:
            rows, columns = size
            connection.write_channel(_RESIZE, json.dumps({"Width": columns, "Height": rows}).encode())

    @contextmanager
    def _ended_with_its_reader(self, connection: Any) -> Iterator[None]:
        try:
            yield
        except _NoProgram:
            raise
        except NornError:
            with suppress(NornError):
                self._end()
            raise
        finally:
            self._over.set()
            connection.close()

    def _end(self) -> None:
        """Ends the program: SIGTERM first, then SIGKILL."""
        self._signal("TERM")
        time.sleep(GENTLY)
        self._signal("KILL")

    def _signal(self, name: str) -> None:
        connection = self._connected(ending(self._command.mark, name), stdin=False, tty=False)
        until = time.monotonic() + GENTLY
        while connection.is_open() and time.monotonic() < until:
            connection.update(timeout=_LOOK)
        connection.close()


class _NoProgram(Exception):
    """Raised when the image does not contain the program."""


def _exit_code(said: bytes) -> int:
    """Reads the exit code from the message of the error channel."""
    try:
        status = json.loads(said)
    except ValueError:
        raise ClusterDown("the connection to the program broke, and how it ended is not known") from None
    if status.get("status") == "Success":
        return 0
    for cause in (status.get("details") or {}).get("causes") or []:
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    message = str(status.get("message", ""))
    if any(words in message for words in _NO_PROGRAM):
        raise _NoProgram(" ".join(message.split())[-300:])
    raise StepFailed(f"the program could not be run: {message[:300]}")
