"""The client of a nest (the container in which crun starts runs). It sends each request over a new connection to the
nest's Unix socket; program/frames.py describes the protocol.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from norn_tasks.domain.errors import EngineDown, NotFound, StepFailed

SOCKET = "nest.sock"
_HEAD = struct.Struct(">cI")
_CHUNK = 256 * 1024
_PATIENCE, _GLANCE = 30.0, 3.0
"""The most seconds for an ordinary request, and for a request for the state of the nest."""
_HINT = "norn doctor; docker logs norn-nest-... says more"


class Refusal(StepFailed):
    """Raised when the nest refuses a request; `word` is the code of the reason."""

    def __init__(self, word: str, said: str) -> None:
        super().__init__(f"the nest refused: {said}", said=said)
        self.word = word


class Door:
    """The client of the nest whose socket is in `directory` on this machine."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def look(self) -> dict[str, Any]:
        """Returns the facts of the nest, such as its id and its version; raises EngineDown if it does not answer soon,
        or Refusal.
        """
        with self.open({"do": "look"}, patience=_GLANCE) as conversation:
            return conversation.answer()

    def ask(self, **request: Any) -> dict[str, Any]:
        """Sends a request, and returns the one answer to it; raises EngineDown or Refusal."""
        with self.open(request) as conversation:
            return conversation.answer()

    def open(self, request: dict[str, Any], content: bytes = b"", patience: float = _PATIENCE) -> Conversation:
        """Opens a connection and sends a request; raises EngineDown."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(patience)
        try:
            self._connect(connection)
            connection.sendall(json.dumps(request).encode() + b"\n" + content)
        except OSError as error:
            connection.close()
            raise EngineDown(f"the nest at {self.directory} does not answer: {error}", hint=_HINT) from error
        return Conversation(connection)

    def _connect(self, connection: socket.socket) -> None:
        """Connects through a descriptor of the directory, because the path of a socket may have at most 107 bytes."""
        directory = os.open(self.directory, os.O_PATH | os.O_DIRECTORY)
        try:
            connection.connect(f"/proc/self/fd/{directory}/{SOCKET}")
        finally:
            os.close(directory)


class Conversation:
    """One connection to the nest."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._buffer = connection, bytearray()

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection. The nest then knows that the run's owner (the worker that holds its job) has left."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def say(self, **command: Any) -> None:
        """Sends a command; raises EngineDown."""
        self.send(json.dumps(command).encode() + b"\n")

    def send(self, data: bytes) -> None:
        """Sends bytes; raises EngineDown."""
        try:
            self._connection.sendall(data)
        except OSError as error:
            raise _gone(error) from error

    def sent_all(self) -> None:
        """Says that no more bytes will be sent."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)

    def patient(self) -> None:
        """Removes the time limit of the connection, for a request that may take long."""
        self._connection.settimeout(None)

    def answer(self) -> dict[str, Any]:
        """Waits for the next frame, which must be an answer; raises Refusal or EngineDown."""
        while True:
            for kind, data in self._parsed():
                return _checked(kind, data)
            self._receive()

    def whole(self, seconds: float) -> tuple[str, dict[str, Any]]:
        """Returns the complete output of a short run, and its end; raises Refusal, StepFailed or EngineDown."""
        said, until = bytearray(), time.monotonic() + seconds
        while time.monotonic() < until:
            for kind, data in self.frames(1.0):
                if kind in "12":
                    said += data
                elif kind in "ex":
                    return said.decode("utf-8", "replace"), _checked(kind, data)
        raise StepFailed(f"a run of the nest did not end in {seconds:g} s")

    def frames(self, seconds: float) -> Iterator[tuple[str, bytes]]:
        """Yields the frames that have arrived, and waits at most `seconds` for the first of them; raises EngineDown if
        the connection has ended.
        """
        found = list(self._parsed())
        if not found:
            poll = select.poll()
            poll.register(self._connection, select.POLLIN)
            if poll.poll(seconds * 1000):
                self._receive()
                found = list(self._parsed())
        yield from found

    def _receive(self) -> None:
        try:
            data = self._connection.recv(_CHUNK)
        except OSError as error:
            raise _gone(error) from error
        if not data:
            raise _gone(None)
        self._buffer += data

    def _parsed(self) -> Iterator[tuple[str, bytes]]:
        while len(self._buffer) >= _HEAD.size:
            kind, size = _HEAD.unpack_from(self._buffer)
            end = _HEAD.size + size
            if len(self._buffer) < end:
                return
            data = bytes(self._buffer[_HEAD.size : end])
            del self._buffer[:end]
            yield kind.decode(), data


def _checked(kind: str, data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(data)
    if kind == "x":
        raise refusal(found)
    return found


def refusal(found: dict[str, Any]) -> Refusal | NotFound:
    """Returns the error for a refusal; NotFound if the nest does not know the run."""
    if found["word"] == "gone":
        return NotFound(f"the nest says: {found['said']}")
    return Refusal(found["word"], found["said"])


def _gone(error: OSError | None) -> EngineDown:
    why = f": {error}" if error is not None else ""
    return EngineDown(f"the nest ended the connection{why}", hint=_HINT)
