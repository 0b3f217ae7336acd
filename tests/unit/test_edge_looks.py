"""A worker's check of a public name, with servers that refuse at first or never finish a response."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from norn_tasks.adapters.edge.caddy import CaddyEdge
from norn_tasks.adapters.edge.leading import leads_where
from norn_tasks.domain.tunnel.external_host import RouteState
from tests.edge_kit import BLOG, INSTANCE, to_this_machine
from tests.fakes.tunnel import FakeExternalHosts
from tests.servers import free_port


@contextmanager
def serving(serve: Callable[[int, socket.socket], None]) -> Iterator[int]:
    """Listens, calls `serve` with the number of each connection, and yields the port."""
    listening = socket.create_server(("127.0.0.1", free_port()))

    def accept() -> None:
        count = 0
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            with client, suppress(OSError):
                serve(count, client)
            count += 1

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(10)


def certified(directory: Path) -> ssl.SSLContext:
    """Returns the context of a server with a certificate for BLOG."""
    key, certificate = directory / "key.pem", directory / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={BLOG}",
         "-addext", f"subjectAltName=DNS:{BLOG}", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def test_a_name_that_the_router_has_not_read_yet_is_asked_for_again(tmp_path: Path) -> None:
    context = certified(tmp_path)

    def serve(count: int, client: socket.socket) -> None:
        if count > 0:  # the first handshake fails, as it does before the router has the name
            context.wrap_socket(client, server_side=True).close()

    with serving(serve) as port:
        edge = CaddyEdge(
            FakeExternalHosts(), INSTANCE, port, port, tmp_path, public=False, resolve=lambda _: [], refused_seconds=30
        )
        seen = edge.look(BLOG)
    assert (seen.state, seen.certificate is not None) == (RouteState.ROUTED, True), seen.reason


def test_an_answer_that_comes_byte_by_byte_is_cut_off() -> None:
    def serve(_count: int, client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            client.sendall(b"X")
            time.sleep(0.05)

    with serving(serve) as port:
        found = leads_where(BLOG, "sign", [port], to_this_machine, within=2)
    assert "which is another server" in found.fault
