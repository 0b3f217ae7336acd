"""Clients that disappeared without closing the connection, and clients that send a single byte now and then."""

from __future__ import annotations

import socket
import threading

import pytest

from norn_api.streaming.connections import Connection, TooSlow


def test_a_silent_client_is_asked_for_and_given_up_within_half_a_minute() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        served, _ = server.accept()
        Connection({"gunicorn.socket": served}).guard()
        told = {name: served.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in
                ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")}  # fmt: skip
        assert served.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert told["TCP_KEEPIDLE"] + told["TCP_KEEPINTVL"] * told["TCP_KEEPCNT"] <= 28
        assert told["TCP_USER_TIMEOUT"] <= 18_000
        served.close()


def test_a_body_that_comes_byte_by_byte_ends_at_its_limit_and_is_answered() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        served, _ = server.accept()
        done = threading.Event()

        def send() -> None:
            while not done.wait(0.02):
                client.sendall(b"x")

        sender = threading.Thread(target=send)
        sender.start()
        try:
            with pytest.raises(TooSlow), Connection({"gunicorn.socket": served}).within(0.3):
                while served.recv(1):
                    pass
        finally:
            done.set()
            sender.join()
        served.sendall(b"too slow")
        assert client.recv(100) == b"too slow"
        served.close()
