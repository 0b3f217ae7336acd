"""A client that vanished, as a laptop does whose lid is closed: the kernel asks for it, and gives it up within 30 s."""

from __future__ import annotations

import socket

from norn_api.streaming.connections import Connection


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
