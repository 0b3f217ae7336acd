"""Runs a program inside a live replica, connects its streams to a client, and ends it when the client leaves.

The program would continue after its connection is closed, and the engine has no call that ends it. So its environment
contains a mark, by which Norn finds its processes when it must end them.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any, TypeVar

from docker import APIClient

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker.frames import STDERR, Frames
from norn_tasks.adapters.docker.typist import LOOK, PIECE, Size, Typist
from norn_tasks.adapters.processes.marked import GENTLY, MARK, ending
from norn_tasks.domain.errors import Conflict, NornError, NotFound
from norn_tasks.ports import ExecCommand, Terminal

T = TypeVar("T")


class Exec:
    """One program in one container."""

    def __init__(self, engine: EngineClient, container: str, command: ExecCommand, terminal: Terminal) -> None:
        self._engine = engine
        self._container = container
        self._command = command
        self._terminal = terminal

    def run(self) -> int:
        """Runs the program to its end; returns its exit code. Raises NotFound, Stopped or EngineDown."""
        self._id = self._ask(self._create)["Id"]
        connection = self._ask(self._start)
        typist = Typist(self._terminal, connection, self._resize)
        with closing(connection), self._ended_with_its_reader(typist):
            typist.begin(self._command.size)
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
        # This is a duplicate of the client library's socket, because the library may close its own at any time.
        connection = socket.socket(fileno=os.dup(response.fileno()))
        connection.setblocking(False)
        return connection

    # The program's output

    def _written(self, connection: socket.socket) -> Iterator[tuple[str, bytes]]:
        """Yields the output until the connection ends; the output of a terminal is one stream."""
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
            if poll.poll(LOOK * 1000):
                with suppress(BlockingIOError):
                    return self._read(connection)

    def _read(self, connection: socket.socket) -> bytes:
        try:
            return connection.recv(PIECE)
        except ConnectionError:
            return b""

    def _exit_code(self) -> int:
        """Returns the exit code after the program has ended, which may be later than the end of its output."""
        while True:
            seen: dict[str, Any] = self._ask(lambda client: client.exec_inspect(self._id))
            if not seen["Running"]:
                return int(seen["ExitCode"] or 0)
            self._terminal.stop.wait(LOOK)
            self._terminal.stop.check()

    def _resize(self, size: Size) -> None:
        if self._command.tty:
            rows, columns = size
            self._engine.briefly(lambda client: client.exec_resize(self._id, height=rows, width=columns))

    # The program's end

    @contextmanager
    def _ended_with_its_reader(self, typist: Typist) -> Iterator[None]:
        try:
            yield
        except NornError:
            with suppress(NornError):
                self._end()
            raise
        finally:
            typist.end()

    def _end(self) -> None:
        until = time.monotonic() + GENTLY
        self._signal("TERM")
        while self._runs():
            if time.monotonic() > until:
                self._signal("KILL")
                return
            time.sleep(LOOK)

    def _signal(self, name: str) -> None:
        argv = ending(self._command.mark, name)

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
