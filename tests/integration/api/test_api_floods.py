"""Cheap attacks with many half-open connections, interrupted requests or expensive checks do not slow the API down for
other clients.
"""

from __future__ import annotations

import select
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.integration.api.factories import Api
from tests.integration.api.process import ApiProcess
from tests.servers import Broker, allowed, wait_until


@pytest.fixture(scope="module")
def served(lasting: Api, broker: Broker) -> Iterator[ApiProcess]:
    """An API process."""
    home = Path(tempfile.mkdtemp(prefix="norn-api-"))
    process = ApiProcess(home, lasting.database.url, broker.url)
    yield process
    process.stop()
    shutil.rmtree(home, ignore_errors=True)


def health(served: ApiProcess) -> float:
    """Returns how many seconds a health request takes on a connection of its own."""
    began = time.monotonic()
    assert httpx.get(f"{served.url}/api/health", timeout=20).status_code == 200
    return time.monotonic() - began


def _open(held: ExitStack, served: ApiProcess, text: bytes) -> socket.socket:
    connection = held.enter_context(socket.create_connection(("127.0.0.1", served.port), timeout=20))
    connection.sendall(text)
    return connection


def test_half_open_connections_hold_no_thread_and_are_closed(served: ApiProcess) -> None:
    with ExitStack() as held:
        opened = [_open(held, served, b"GET /api/health HTTP/1.1\r\nHost: x\r\nX: ") for _ in range(700)]
        assert max(health(served) for _ in range(5)) < allowed(1)
        began = time.monotonic()
        assert opened[-1].recv(100).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - began < 15


_SIGN_IN = b"POST /api/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
_DELIVERY = b"POST /api/webhooks/push?hook=1 HTTP/1.1\r\nHost: x\r\nX-Hub-Signature-256: sha256=" + b"0" * 64 + b"\r\n"


@pytest.mark.parametrize("head", [_SIGN_IN, _DELIVERY])
def test_unfinished_bodies_of_strangers_hold_few_threads(served: ApiProcess, head: bytes) -> None:
    with ExitStack() as held:
        opened = [_open(held, served, head + b"Content-Length: 99\r\n\r\n{") for _ in range(620)]
        assert opened[-1].recv(100).startswith(b"HTTP/1.1 429 ")
        assert max(health(served) for _ in range(5)) < allowed(1)


def test_large_deliveries_of_strangers_are_read_four_at_a_time(served: ApiProcess) -> None:
    with ExitStack() as held:
        large = [b"Content-Length: 2000000\r\n\r\n{"] * 3 + [b"Transfer-Encoding: chunked\r\n\r\n1\r\n{"] * 2
        opened = [_open(held, served, _DELIVERY + body) for body in large]
        (answered, *_), _, _ = select.select(opened, [], [], allowed(20))
        assert answered.recv(100).startswith(b"HTTP/1.1 429 ")
        small = _open(held, served, _DELIVERY + b"Content-Length: 2\r\n\r\n{}")
        assert small.recv(100).startswith(b"HTTP/1.1 401 ")


def test_head_that_comes_byte_by_byte_is_answered(served: ApiProcess) -> None:
    with ExitStack() as held:
        connection = _open(held, served, b"GET /api/version HTTP/1.1\r\nHost: x\r\n")
        for byte in b"Connection: close\r\n\r\n":
            time.sleep(0.01)
            connection.sendall(bytes([byte]))
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


def test_pipelined_requests_are_each_answered(served: ApiProcess) -> None:
    one, last = b"GET /api/version HTTP/1.1\r\nHost: x\r\n", b"Connection: close\r\n\r\n"
    with ExitStack() as held:
        connection = _open(held, served, one + b"\r\n" + one + b"\r\n" + one + last)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.count(b"HTTP/1.1 200 ") == 3


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\nHost: x\n\n", b"400"),
        (b"GET /" + b"x" * 9000, b"414"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 30_000, b"431"),
    ],
)
def test_head_that_is_none_is_refused_at_once(served: ApiProcess, head: bytes, status: bytes) -> None:
    with ExitStack() as held:
        began = time.monotonic()
        answer = _open(held, served, head).recv(100)
    assert (answer[9:12], time.monotonic() - began < 5) == (status, True)


def test_broken_off_heads_harm_nobody(served: ApiProcess) -> None:
    for _ in range(3):
        with ExitStack() as held:
            for _ in range(500):
                _open(held, served, b"POST /fn/x HTTP/1.1\r\nHost: x\r\nX: ")
        assert health(served) < allowed(1)
    assert "Traceback" not in served.log()


def test_costly_checks_take_turns(served: ApiProcess) -> None:
    spec = "app: x\nrole: worker\n" + "".join(f"k{n}: 1\n" for n in range(6000))
    done: list[tuple[int, bool]] = []

    def check() -> None:
        with served.client(120) as client:
            answer = client.post("/api/validate", content=spec, headers={"Content-Type": "text/yaml"})
            done.append((answer.status_code, answer.status_code == 429 or not answer.json()["valid"]))

    threads = [threading.Thread(target=check) for _ in range(20)]
    for thread in threads:
        thread.start()
    usual = sorted(health(served) for _ in range(5))[2]
    for thread in threads:
        thread.join()
    wait_until(lambda: len(done) == 20, 60, "all checks are answered")
    assert set(done) <= {(200, True), (429, True)}
    assert usual < allowed(1)


@pytest.mark.parametrize("body", [b"zz\r\nabc\r\n0\r\n\r\n", b"3\r\nabcXX0\r\n\r\n", b"3;\rx\r\nabc\r\n0\r\n\r\n"])
def test_malformed_chunks_are_a_bad_request(served: ApiProcess, body: bytes) -> None:
    token = served.token_file.read_text().strip().encode()
    head = b"POST /api/validate HTTP/1.1\r\nHost: x\r\nContent-Type: text/yaml\r\nTransfer-Encoding: chunked\r\n"
    with ExitStack() as held:
        connection = _open(held, served, head + b"Authorization: Bearer " + token + b"\r\n\r\n" + body)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert (answer[9:12], b"bad_request" in answer) == (b"400", True)
