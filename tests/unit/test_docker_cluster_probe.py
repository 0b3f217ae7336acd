"""Health checks of servers that respond properly, and of servers that do not."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from norn_tasks.adapters.docker_cluster import probe
from norn_tasks.adapters.docker_cluster.probe import Knock
from norn_tasks.domain.errors import Stopped
from norn_tasks.domain.infraspec import Health
from tests.fakes.stop import FakeStop
from tests.servers import free_port

HOST = "127.0.0.1"


@contextmanager
def server(act: Callable[[socket.socket], None]) -> Iterator[int]:
    """Runs a server that handles one connection with `act`."""
    with socket.create_server((HOST, 0)) as door:

        def serve() -> None:
            with suppress(OSError):
                connection, _ = door.accept()
                with connection:
                    act(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield door.getsockname()[1]
    thread.join(5)


def saying(text: bytes) -> Callable[[socket.socket], None]:
    def act(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(text)

    return act


def silent(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.recv(4096)


def dripping(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"a")
        time.sleep(0.1)


def answers(port: int) -> Knock:
    return probe.check(HOST, port, Health(path="/health"), FakeStop())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", Knock(True, "answered 200", answered=True)),
        (b"HTTP/1.0 204 No Content\r\n\r\n", Knock(True, "answered 204", answered=True)),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", Knock(True, "answered 302", answered=True)),
        (b"HTTP/1.1 200\r\n\r\n", Knock(True, "answered 200", answered=True)),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", Knock(False, "answered 404", answered=True)),
        (b"HTTP/1.1 500 Oh\r\n\r\n", Knock(False, "answered 500", answered=True)),
        (b"", Knock(False, "closed the connection without an answer")),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Knock(False, "answered something that is not HTTP", answered=True)),
        (b"x" * 5000, Knock(False, "answered something that is not HTTP", answered=True)),
        (b"HTTP/1.1 2000 OK\r\n", Knock(False, "answered something that is not HTTP", answered=True)),
    ],
)
def test_an_answer_is_judged_by_its_status(text: bytes, expected: Knock) -> None:
    with server(saying(text)) as port:
        assert answers(port) == expected


@pytest.mark.parametrize("act", [silent, dripping])
def test_a_try_takes_no_longer_than_its_limit(act: Callable[[socket.socket], None]) -> None:
    begun = time.monotonic()
    with server(act) as port:
        assert answers(port) == Knock(False, "gave no answer within 2 s")
        assert time.monotonic() - begun < 2.5


def test_nobody_there_is_told_apart() -> None:
    assert answers(free_port()) == probe.check(HOST, free_port(), Health(), FakeStop()) == Knock(False)


def test_a_port_that_accepts_is_enough_without_a_path() -> None:
    with server(silent) as port:
        assert probe.check(HOST, port, Health(), FakeStop()) == Knock(True)


def test_a_stop_ends_a_try() -> None:
    stop = FakeStop()
    threading.Timer(0.2, stop.set, ["cancelled"]).start()
    begun = time.monotonic()
    with server(silent) as port, pytest.raises(Stopped):
        probe.check(HOST, port, Health(path="/"), stop)
    assert time.monotonic() - begun < 1


def test_the_request_asks_for_localhost_and_says_who_asks() -> None:
    heard: list[bytes] = []

    def act(connection: socket.socket) -> None:
        heard.append(connection.recv(4096))
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    with server(act) as port:
        answers(port)
    head = heard[0].split(b"\r\n")
    assert head[:3] == [b"GET /health HTTP/1.1", b"Host: localhost", b"User-Agent: norn-health"]


def test_a_request_names_the_host_and_the_path_that_the_spec_asks_for() -> None:
    heard: list[bytes] = []

    def act(connection: socket.socket) -> None:
        heard.append(connection.recv(4096))
        connection.sendall(b"HTTP/1.1 401 Unauthorized\r\n\r\n")

    with server(act) as port:
        health = Health(path="/up", host="shop.example.com", status="200,401", timeout=1)
        assert probe.check(HOST, port, health, FakeStop()) == Knock(True, "answered 401", answered=True)
    assert heard[0].startswith(b"GET /up HTTP/1.1\r\nHost: shop.example.com\r\n")
