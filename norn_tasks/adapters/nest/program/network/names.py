"""Forwards the sandboxes' questions for names to the engine's resolver, which only the nest itself can reach."""

from __future__ import annotations

import contextlib
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from norn_tasks.adapters.nest.program.network.networks import GATEWAY

_PORT, _LARGEST, _PATIENCE = 53, 65535, 10.0
_AT_ONCE = 32


def serve() -> None:
    """Starts the two threads that answer over UDP and TCP; raises OSError."""
    pool = ThreadPoolExecutor(_AT_ONCE)
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind((GATEWAY, _PORT))
    listener = socket.create_server((GATEWAY, _PORT))
    threading.Thread(target=_over_udp, args=[datagrams, pool], daemon=True).start()
    threading.Thread(target=_over_tcp, args=[listener, pool], daemon=True).start()


def _resolver() -> str:
    for line in Path("/etc/resolv.conf").read_text().splitlines():
        if line.startswith("nameserver "):
            return line.split()[1]
    return "127.0.0.11"


def _over_udp(datagrams: socket.socket, pool: ThreadPoolExecutor) -> None:
    while True:
        question, asker = datagrams.recvfrom(_LARGEST)
        pool.submit(_answer, datagrams, question, asker)


def _answer(datagrams: socket.socket, question: bytes, asker: tuple[str, int]) -> None:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as upstream:
        upstream.settimeout(_PATIENCE)
        upstream.connect((_resolver(), _PORT))
        upstream.send(question)
        datagrams.sendto(upstream.recv(_LARGEST), asker)


def _over_tcp(listener: socket.socket, pool: ThreadPoolExecutor) -> None:
    while True:
        asker, _ = listener.accept()
        pool.submit(_converse, asker)


def _converse(asker: socket.socket) -> None:
    """Forwards one question and its answer; each begins with its length in two bytes."""
    with contextlib.suppress(OSError), asker, socket.create_connection((_resolver(), _PORT), _PATIENCE) as upstream:
        asker.settimeout(_PATIENCE)
        upstream.sendall(_message(asker))
        asker.sendall(_message(upstream))


def _message(source: socket.socket) -> bytes:
    with source.makefile("rb") as stream:
        head = stream.read(2)
        return head + stream.read(int.from_bytes(head, "big"))
