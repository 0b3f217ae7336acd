"""Connects a running container with the client that asked for the run, and passes each byte on as it arrives."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable

from norn_tasks.adapters.docker.frames import STDERR, STDOUT, Frames
from norn_tasks.adapters.docker.typist import Size, Typist
from norn_tasks.adapters.runtimes.streams import CHUNK_BYTES, Outputs
from norn_tasks.ports import RunClient


class ClientStreams:
    """One connection to a container; its output is passed to the client, and kept in `outputs` for the record."""

    def __init__(
        self, connection: socket.socket, client: RunClient, outputs: Outputs, resize: Callable[[Size], None]
    ) -> None:
        connection.setblocking(False)
        self._connection, self._client, self._outputs = connection, client, outputs
        self._typist = Typist(client.terminal, connection, resize)
        self._frames = Frames()
        self._begun = False

    def close(self) -> None:
        """Closes the connection; the container keeps running."""
        self._typist.end()
        self._connection.close()

    def read(self, seconds: float) -> bool:
        """Waits for at most `seconds` for output, and passes it on; returns False if the connection has ended."""
        if not self._begun:
            self._begun = True
            self._typist.begin(self._client.size if self._client.tty else None)
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        return self._take() if poll.poll(seconds * 1000) else True

    def _take(self) -> bool:
        try:
            data = self._connection.recv(CHUNK_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        for stream, piece in [(STDOUT, data)] if self._client.tty else self._frames.feed(data):
            self._outputs.feed(stream, piece)
            if piece:
                self._client.terminal.wrote("stderr" if stream == STDERR else "stdout", piece)
        return bool(data)
