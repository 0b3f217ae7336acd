"""Reads the log of one container in the engine's format: frames, each with a stream, a time and some text.

The Docker client library parses each frame separately, at a fifth of this module's speed. This module asks with
HTTP/1.0, so that the body of the response contains only frames until the connection ends.
"""

from __future__ import annotations

import calendar
import select
import socket
import struct
import time
from collections.abc import Iterator

from norn_tasks.adapters.kept_logs.intake import LogEntry
from norn_tasks.domain.errors import EngineDown, NotFound

_FRAME = struct.Struct(">BxxxL")
_PIECE = 256 * 1024
_ANSWER_SECONDS = 30.0


class EngineLog:
    """An open log; with `follow`, it stays open until the container ends. Raises NotFound or EngineDown."""

    def __init__(self, address: str, container: str, since: int, *, follow: bool) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_ANSWER_SECONDS)
        self._poll = select.poll()
        self._rest = b""
        self._seconds: dict[bytes, int] = {}
        moment = f"{since // 10**9}.{since % 10**9:09d}" if since > 0 else "0"
        query = f"stdout=1&stderr=1&timestamps=1&follow={int(follow)}&since={moment}"
        try:
            self._socket.connect(address.removeprefix("unix://"))
            self._socket.sendall(f"GET /containers/{container}/logs?{query} HTTP/1.0\r\n\r\n".encode())
            self._begin(container)
        except OSError as error:
            self.close()
            raise EngineDown(f"the engine at {address} does not answer: {error}") from error
        except NotFound:
            self.close()
            raise
        self._poll.register(self._socket, select.POLLIN)

    def __enter__(self) -> EngineLog:
        """Returns this log, which is closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the connection."""
        self.close()

    def close(self) -> None:
        """Ends the reading."""
        self._socket.close()

    def ready(self, seconds: float) -> bool:
        """Returns True if data, or the end of the log, becomes readable within `seconds`."""
        return bool(self._poll.poll(seconds * 1000))

    def read(self) -> tuple[list[LogEntry], bool]:
        """Waits for more data. Returns the complete entries, and whether the log has ended."""
        try:
            data = self._socket.recv(_PIECE)
        except TimeoutError as error:
            raise EngineDown(f"the engine sent nothing of a log for {_ANSWER_SECONDS:g} s") from error
        except OSError:
            data = b""
        self._rest += data
        return list(self._entries()), not data

    def _begin(self, container: str) -> None:
        while b"\r\n\r\n" not in self._rest:
            data = self._socket.recv(_PIECE)
            if not data:
                raise ConnectionError("it closed the connection")
            self._rest += data
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        status = head.split(b" ", 2)[1]
        if status in (b"404", b"409"):
            raise NotFound(f"the engine has no log of the container {container}")
        if status != b"200":
            raise ConnectionError(head.split(b"\r\n")[0].decode("latin-1"))

    def _entries(self) -> Iterator[LogEntry]:
        data, at = self._rest, 0
        while at + 8 <= len(data):
            stream, length = _FRAME.unpack_from(data, at)
            end = at + 8 + length
            if end > len(data):
                break
            space = data.find(b" ", at + 8, end)
            if space > 0:
                yield LogEntry(stream, self._nanoseconds(data[at + 8 : space]), data[space + 1 : end])
            at = end
        self._rest = data[at:]

    def _nanoseconds(self, moment: bytes) -> int:
        second = moment[:19]
        whole = self._seconds.get(second)
        if whole is None:
            self._seconds = {second: (whole := _seconds(second))}
        return whole + int(moment[20:-1].ljust(9, b"0")[:9])


def _seconds(second: bytes) -> int:
    return calendar.timegm(time.strptime(second.decode(), "%Y-%m-%dT%H:%M:%S")) * 10**9
