"""Runs a program inside a live replica: its streams to and from somebody who is there, and its end with them.

The engine has no verb to end such a program, and it outlives its connection. So it carries a mark in its environment,
which what it starts inherits; a shell of the same image finds the mark under /proc and ends all that have it.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any, TypeVar

from docker import APIClient

from norn_tasks.adapters.engine import Engine
from norn_tasks.adapters.frames import STDERR, Frames
from norn_tasks.domain.errors import Conflict, NornError, NotFound
from norn_tasks.ports import Command, Terminal, Typed

T = TypeVar("T")

MARK = "NORN_EXEC"
_LOOK = 0.25
_PIECE = 32 * 1024
_GENTLY = 3.0
"""Seconds from SIGTERM to SIGKILL for a program whose reader went away."""

_END = """for e in /proc/[0-9]*/environ; do
  if grep -q "$1" "$e" 2>/dev/null; then p=${e#/proc/}; kill -"$2" "${p%/environ}" 2>/dev/null; fi
done"""


class Exec:
    """One program in one container."""

    def __init__(self, engine: Engine, container: str, command: Command, terminal: Terminal) -> None:
        self._engine = engine
        self._container = container
        self._command = command
        self._terminal = terminal
        self._over = threading.Event()

    def run(self) -> int:
        """Runs it to its end; answers its exit code. Raises NotFound, Stopped or EngineDown."""
        self._id = self._ask(self._create)["Id"]
        connection = self._ask(self._start)
        with closing(connection), self._ended_with_its_reader():
            self._resize(self._command.size)
            threading.Thread(target=self._type, args=[connection], name="norn-typed", daemon=True).start()
            for stream, piece in self._written(connection):
                self._terminal.wrote(stream, piece)
            return self._exit_code()

    def _create(self, client: APIClient) -> dict[str, Any]:
        command = self._command
        environment = {MARK: command.mark, **({"TERM": command.term} if command.term else {})}
        made: dict[str, Any] = client.exec_create(
            self._container, list(command.argv), stdin=True, tty=command.tty, environment=environment
        )
        return made

    def _start(self, client: APIClient) -> socket.socket:
        response: Any = client.exec_start(self._id, tty=self._command.tty, socket=True)
        # The client library owns its socket, and closes it when it likes; this handle is our own.
        connection = socket.socket(fileno=os.dup(response.fileno()))
        connection.setblocking(False)
        return connection

    # What it writes

    def _written(self, connection: socket.socket) -> Iterator[tuple[str, bytes]]:
        """Yields what comes until the connection ends; of a terminal it is one stream."""
        frames = Frames()
        while (data := self._received(connection)) != b"":
            if self._command.tty:
                yield "stdout", data
                continue
            for stream, piece in frames.feed(data):
                yield "stderr" if stream == STDERR else "stdout", piece

    def _received(self, connection: socket.socket) -> bytes:
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        while True:
            self._terminal.stop.check()
            if poll.poll(_LOOK * 1000):
                with suppress(BlockingIOError):
                    return self._read(connection)

    def _read(self, connection: socket.socket) -> bytes:
        try:
            return connection.recv(_PIECE)
        except ConnectionError:
            return b""

    def _exit_code(self) -> int:
        """Answers how it ended: the end of its output is not its end, and a child may hold on to that."""
        while True:
            seen: dict[str, Any] = self._ask(lambda client: client.exec_inspect(self._id))
            if not seen["Running"]:
                return int(seen["ExitCode"] or 0)
            self._terminal.stop.wait(_LOOK)
            self._terminal.stop.check()

    # What is typed

    def _type(self, connection: socket.socket) -> None:
        """Hands on what is typed, until the program or the connection ends."""
        with suppress(OSError, ValueError, NornError):
            while not self._over.is_set():
                typed = self._terminal.typed(1.0)
                if typed is not None and not self._hand_on(typed, connection):
                    return

    def _hand_on(self, typed: Typed, connection: socket.socket) -> bool:
        self._resize(typed.size)
        data = memoryview(typed.data)
        poll = select.poll()
        poll.register(connection, select.POLLOUT)
        while data and not self._over.is_set():
            if poll.poll(_LOOK * 1000):
                data = data[connection.send(data[:_PIECE]) :]
        if typed.eof:
            connection.shutdown(socket.SHUT_WR)
        return not typed.eof

    def _resize(self, size: tuple[int, int] | None) -> None:
        if size is None or not self._command.tty:
            return
        # It may not run yet, or not any more: then its window does not matter.
        with suppress(NornError):
            rows, columns = size
            self._engine.briefly(lambda client: client.exec_resize(self._id, height=rows, width=columns))

    # Its end

    @contextmanager
    def _ended_with_its_reader(self) -> Iterator[None]:
        try:
            yield
        except NornError:
            with suppress(NornError):
                self._end()
            raise
        finally:
            self._over.set()

    def _end(self) -> None:
        until = time.monotonic() + _GENTLY
        self._signal("TERM")
        while self._runs():
            if time.monotonic() > until:
                self._signal("KILL")
                return
            time.sleep(_LOOK)

    def _signal(self, name: str) -> None:
        argv = ["sh", "-c", _END, "sh", f"{MARK}={self._command.mark}", name]

        def send(client: APIClient) -> None:
            client.exec_start(client.exec_create(self._container, argv)["Id"], detach=True)

        self._engine.briefly(send)

    def _runs(self) -> bool:
        seen: dict[str, Any] = self._engine.briefly(lambda client: client.exec_inspect(self._id))
        return bool(seen["Running"])

    def _ask(self, call: Callable[[APIClient], T]) -> T:
        try:
            return self._engine.promptly(call, self._terminal.stop)
        except (Conflict, NotFound) as error:
            raise NotFound(
                f"the replica of {self._command.app} ended at this moment", hint=f"norn status {self._command.app}"
            ) from error
