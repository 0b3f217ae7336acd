"""The connection to a container's streams: writes its stdin, and keeps a bounded part of its stdout and stderr."""

from __future__ import annotations

import codecs
import os
import select
import socket
from collections.abc import Callable

from docker import APIClient

from norn_tasks.adapters.capture import Capture
from norn_tasks.adapters.docker.frames import STDERR, STDOUT, Frames
from norn_tasks.domain.jobs.execution import Captured
from norn_tasks.ports import Run, Say

BEFORE_START = 64 * 1024
"""Bytes of stdin that are sent before the container starts; the engine keeps them until then."""

CHUNK_BYTES = 256 * 1024


def attach(client: APIClient, container: str, *, stdin: bool) -> socket.socket:
    """Opens the connection to a container that is running or not started yet."""
    params = {"stream": 1, "stdout": 1, "stderr": 1, "stdin": int(stdin)}
    response = client.attach_socket(container, params)
    # The client library may close its socket at any time, so this is a duplicate of it.
    return socket.socket(fileno=os.dup(response.fileno()))


class Outputs:
    """The output of a run so far, with its secrets removed.

    With `max_output`, stdout is kept completely up to that size; without it, only the beginning and the end are kept.
    If `say` is given, it gets the output as text as it arrives; if `err` is given too, `say` gets only stdout, and
    `err` gets stderr.
    """

    def __init__(self, run: Run, say: Say | None = None, err: Say | None = None) -> None:
        self._most = run.max_output
        self._stdout = Capture() if run.max_output is None else Capture(head=run.max_output, tail=0)
        self._stderr = Capture()
        self._hidden = run.hidden
        self._redactors = {stream: run.hidden.stream() for stream in (STDOUT, STDERR)}
        self._tell = _writer(say, err or say) if say is not None else None
        self._passed_on = run.passed_on
        self.size = 0
        """The number of bytes that were written."""

    def feed(self, stream: int, data: bytes) -> None:
        """Adds the next chunk of a stream."""
        stream = STDERR if stream == STDERR else STDOUT
        self.size += len(data)
        self._keep(stream, self._redactors[stream].feed(data))

    def skip(self, stream: int, count: int) -> None:
        """Counts bytes of a stream that were dropped before they could be read."""
        self._keep(stream, self._redactors[stream].end())
        self._redactors[stream] = self._hidden.stream()
        self.size += count
        (self._stderr if stream == STDERR else self._stdout).skip(count)
        if self._tell is not None:
            self._tell(stream, f"\n… {count} bytes dropped …\n".encode())

    def captured(self) -> tuple[Captured, Captured]:
        """Returns the kept parts of stdout and stderr. No more output may be added afterwards."""
        for stream, redactor in self._redactors.items():
            self._keep(stream, redactor.end())
        return self._stdout.captured(), self._stderr.captured()

    @property
    def too_large(self) -> bool:
        """Returns True if stdout is larger than its limit."""
        return self._most is not None and self._stdout.size > self._most

    def _keep(self, stream: int, data: bytes) -> None:
        (self._stderr if stream == STDERR else self._stdout).feed(data)
        if self._tell is not None:
            self._tell(stream, data)
        if self._passed_on is not None and stream != STDERR and data:
            self._passed_on(data)


class Streams:
    """One attached connection; `outputs` receives the output."""

    def __init__(self, connection: socket.socket, stdin: bytes | None, outputs: Outputs) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._rest = memoryview(stdin) if stdin is not None else None
        self._outputs = outputs
        self._frames = Frames()

    def close(self) -> None:
        """Closes the connection; the container keeps running."""
        self._connection.close()

    def prefeed(self) -> None:
        """Sends stdin completely and closes it before the container starts, if stdin is small."""
        if self._rest is None or len(self._rest) > BEFORE_START:
            return
        poll = select.poll()
        poll.register(self._connection, select.POLLOUT)
        while self._rest is not None and poll.poll(1000):
            self._feed()

    def read(self, seconds: float) -> bool:
        """Waits at most `seconds` until bytes can be read or sent, and does so; returns False if the connection has
        ended.
        """
        poll = select.poll()
        poll.register(self._connection, select.POLLIN | (select.POLLOUT if self._rest is not None else 0))
        for _, events in poll.poll(seconds * 1000):
            if self._rest is not None and events & select.POLLOUT:
                self._feed()
            if events & ~select.POLLOUT:
                return self._take()
        return True

    def _feed(self) -> None:
        assert self._rest is not None
        try:
            self._rest = self._rest[self._connection.send(self._rest[:CHUNK_BYTES]) :] if self._rest else self._rest
            if not self._rest:
                self._connection.shutdown(socket.SHUT_WR)
                self._rest = None
        except BlockingIOError:
            return
        except OSError:
            # The container has ended or does not read stdin. Its output so far is kept.
            self._rest = None

    def _take(self) -> bool:
        try:
            data = self._connection.recv(CHUNK_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        for stream, piece in self._frames.feed(data):
            self._outputs.feed(stream, piece)
        return bool(data)


def _writer(say: Say, err: Say) -> Callable[[int, bytes], None]:
    make = codecs.getincrementaldecoder("utf-8")
    decoders = {STDOUT: make("replace"), STDERR: make("replace")}

    def write(stream: int, piece: bytes) -> None:
        text = decoders[stream].decode(piece).replace("\0", "\ufffd")
        if text:
            (err if stream == STDERR else say)(text)

    return write
