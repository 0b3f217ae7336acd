"""Checks once, within a time limit, whether a replica's port accepts connections or its healthcheck succeeds."""

from __future__ import annotations

import re
import select
import socket
import time
from dataclasses import dataclass

from norn_tasks.domain.infraspec import Health, statuses
from norn_tasks.ports import Stop

_LOOK = 0.25
_LONGEST = 1024
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: |\r?\n)")


@dataclass(frozen=True)
class Knock:
    """The result of one check. `word` completes a sentence about the healthcheck, such as "answered 503"; None if no
    program listens, or if only the port was checked.

    `answered`: a program answered the request, with a good status or with another one.
    """

    well: bool
    word: str | None = None
    answered: bool = False


def check(ip: str, port: int, health: Health, stop: Stop) -> Knock:
    """Checks a replica once: its healthcheck path must answer with a good status; if it has no such path, its port must
    be open. Raises Stopped when `stop` is set.
    """
    try:
        connection = _Connection(ip, port, health.timeout, stop)
    except OSError:
        return Knock(False)
    with connection:
        if health.path is None:
            return Knock(True)
        try:
            return _judged(connection.ask(_request(health.path, health.host)), health.status)
        except TimeoutError:
            return Knock(False, f"gave no answer within {health.timeout} s")
        except OSError:
            return Knock(False, "closed the connection without an answer")


def _request(path: str, host: str) -> bytes:
    lines = (f"GET {path} HTTP/1.1", f"Host: {host}", "User-Agent: norn-health", "Accept: */*")
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode()


def _judged(begin: bytes, good: str) -> Knock:
    if not begin:
        return Knock(False, "closed the connection without an answer")
    status = _STATUS.match(begin)
    if status is None:
        return Knock(False, "answered something that is not HTTP", answered=True)
    code = int(status[1])
    return Knock(statuses.among(code, good), f"answered {code}", answered=True)


class _Connection:
    """The connection of one check; raises OSError if it cannot connect, and TimeoutError when the time is over."""

    def __init__(self, ip: str, port: int, seconds: float, stop: Stop) -> None:
        self._until = time.monotonic() + seconds
        self._stop = stop
        self._socket = socket.socket()
        self._socket.setblocking(False)
        try:
            self._connect(ip, port)
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> _Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, request: bytes) -> bytes:
        """Sends the request, and returns the first line of the response."""
        while request:
            self._wait(select.POLLOUT)
            request = request[self._socket.send(request) :]
        begin = b""
        while b"\n" not in begin and len(begin) < _LONGEST:
            self._wait(select.POLLIN)
            data = self._socket.recv(_LONGEST)
            if not data:
                break
            begin += data
        return begin

    def _connect(self, ip: str, port: int) -> None:
        try:
            self._socket.connect((ip, port))
        except BlockingIOError:
            self._wait(select.POLLOUT)
        error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, "not connected")

    def _wait(self, event: int) -> None:
        poll = select.poll()
        poll.register(self._socket, event)
        ready = False
        while not ready:
            self._stop.check()
            left = self._until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            ready = bool(poll.poll(min(left, _LOOK) * 1000))
