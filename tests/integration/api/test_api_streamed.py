"""Responses that are sent while the function writes them: in order, complete, and with the error of a call that
fails.
"""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.domain.jobs.requests import InvokeJobRequest
from norn_tasks.store.broker.live import Live
from norn_tasks.store.ledger.taking import take
from norn_tasks.store_adapters.live_streams import BrokerPieces
from tests import factories as shared
from tests.integration.api.factories import Api, add_worker
from tests.integration.api.test_api_functions import call, ended, finish
from tests.servers import Broker

STREAM = {"Accept": "text/html, text/event-stream;q=0.9"}


@pytest.fixture
def fn(connected: Api, broker: Broker) -> Api:
    """An application with two live functions and a worker for their calls; the broker is emptied, since job ids repeat
    between databases.
    """
    broker.client().flushall()
    shared.add_live(
        connected.database, "fn", "function", "function:\n  timeout: 20\n  contentType: text/event-stream\n"
    )
    shared.add_live(connected.database, "page", "function", "function:\n  timeout: 20\n  response: cgi\n")
    add_worker(connected.database)
    return connected


@contextmanager
def worker(
    api: Api, broker: Broker, pieces: list[bytes | None], output: bytes, code: int = 0
) -> Iterator[threading.Event]:
    """Claims one call and sends these chunks; at each None it first waits until the yielded event is set. Then it ends
    the call with the output.
    """
    go, stop = threading.Event(), threading.Event()

    def work() -> None:
        job = None
        while job is None and not stop.wait(0.02):
            job = take(api.database, shared.claimer("w1", JobClass.INVOKE))
        if job is None:
            return
        assert job.request_as(InvokeJobRequest).stream
        sink = BrokerPieces(Live(broker.url), job.id)
        for piece in pieces:
            if piece is None:
                go.wait(10)
            else:
                sink.send(piece)
        finish(api, job, ended(code, stdout=output))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield go
    finally:
        stop.set()
        go.set()
        thread.join()


def test_pieces_arrive_before_the_call_has_ended(fn: Api, broker: Broker) -> None:
    with worker(fn, broker, [b"one\n", None, b"\xfftwo"], b"one\n\xfftwo") as go:
        answer = call(fn, headers=STREAM)
        pieces = answer.iter_encoded()
        assert (answer.status_code, answer.content_type, next(pieces)) == (200, "text/event-stream", b"one\n")
        assert fn.get("/api/jobs").json["items"][0]["state"] == "running"
        go.set()
        assert b"".join(pieces) == b"\xfftwo"


def test_what_the_broker_lost_comes_at_the_end(fn: Api, broker: Broker) -> None:
    with worker(fn, broker, [b"one", None], b"one two three") as go:
        answer = call(fn, headers=STREAM)
        pieces = answer.iter_encoded()
        assert next(pieces) == b"one"
        later = ("stdout", base64.b64encode(b"three").decode(), {"at": 8})
        Live(broker.url).emit(fn.get("/api/jobs").json["items"][0]["id"], [later], first=9)
        go.set()
        assert b"".join(pieces) == b" two three"


@pytest.mark.parametrize("pieces", [[None], [b"one", None]])
def test_client_that_sends_no_more_gets_no_part_as_if_it_were_whole(
    fn: Api, broker: Broker, pieces: list[bytes | None]
) -> None:
    client, served = socket.socketpair()
    client.shutdown(socket.SHUT_WR)
    client.settimeout(5)
    with client, served, worker(fn, broker, pieces, b"one two"):
        call(fn, headers=STREAM, environ_overrides={"gunicorn.socket": served}).get_data()
        assert client.recv(1) == b""  # the server has closed the connection


def test_head_with_a_mistake_is_an_error_also_of_a_long_answer(fn: Api, broker: Broker) -> None:
    output = b"Set-Cookie: a=b\n\n" + b"x" * 20_000
    with worker(fn, broker, [output[:12_000], output[12_000:]], output, code=1):
        answer = call(fn, "/fn/page", headers=STREAM)
    assert (answer.status_code, answer.json["code"]) == (502, "function_failed")
    assert "Set-Cookie" not in answer.headers


def test_output_that_never_came_over_the_broker_is_the_answer(fn: Api, broker: Broker) -> None:
    with worker(fn, broker, [], b"whole"):
        answer = call(fn, headers=STREAM)
    assert (answer.status_code, answer.data) == (200, b"whole")


def test_head_of_a_cgi_answer_is_sent_when_it_is_complete(fn: Api, broker: Broker) -> None:
    output = b"Status: 201\nX-A: b\n\nbody"
    with worker(fn, broker, [output[:15], output[15:21], None, output[21:]], output) as go:
        threading.Timer(0.5, go.set).start()
        answer = call(fn, "/fn/page", headers=STREAM)
    assert (answer.status_code, answer.headers["X-A"], answer.data) == (201, "b", b"body")


def test_call_that_fails_before_its_first_output_is_an_ordinary_error(fn: Api, broker: Broker) -> None:
    with worker(fn, broker, [], b"", code=3):
        answer = call(fn, headers=STREAM)
    assert (answer.status_code, answer.json["code"]) == (502, "function_failed")
    assert fn.services.waiting.take() is not None


def test_without_the_wish_for_it_nothing_is_streamed(fn: Api) -> None:
    call(fn, headers={"Accept": "*/*", "Prefer": "respond-async"})
    job = take(fn.database, shared.claimer("w1", JobClass.INVOKE))
    assert job is not None
    assert job.request_as(InvokeJobRequest).stream is None
