"""Forwards DNS queries of sandboxes to the engine's resolver, which only the nest container itself can reach."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from norn_tasks.adapters.nest.program.network.networks import GATEWAY

_PORT, _LARGEST, _PATIENCE = 53, 65535, 10.0
_AT_ONCE, _OF_ONE = 128, 32
"""The most queries that may be running at the same time: of all sandboxes, and of one sandbox."""
log = logging.getLogger(__name__)


class QuestionPlaces:
    """Limits how many queries run at the same time. No sandbox can use up the complete limit and so block the
    others.
    """

    def __init__(self, all_together: int = _AT_ONCE, of_one: int = _OF_ONE) -> None:
        self._free, self._of_one = all_together, of_one
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self, asker: str) -> bool:
        """Reserves a place for a query of the sandbox with this address. Returns False if the sandbox has its share
        already, or if no place is free.
        """
        with self._lock:
            if not self._free or self._taken[asker] >= self._of_one:
                return False
            self._free -= 1
            self._taken[asker] += 1
            return True

    @contextlib.contextmanager
    def given_back(self, asker: str) -> Iterator[None]:
        """Releases the reserved place at the end of the block."""
        try:
            yield
        finally:
            with self._lock:
                self._free += 1
                self._taken[asker] -= 1
                if not self._taken[asker]:
                    del self._taken[asker]


def serve() -> None:
    """Starts the two threads that answer over UDP and TCP; raises OSError."""
    pool, places = ThreadPoolExecutor(_AT_ONCE), QuestionPlaces()
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind((GATEWAY, _PORT))
    listener = socket.create_server((GATEWAY, _PORT))
    threading.Thread(target=_over_udp, args=[datagrams, pool, places], daemon=True).start()
    threading.Thread(target=_over_tcp, args=[listener, pool, places], daemon=True).start()


def accepted(listener: socket.socket) -> tuple[socket.socket, str]:
    """Returns the next connection and its address; tries again while this process has no free file descriptor."""
    while True:
        try:
            connection, address = listener.accept()
            return connection, str(address[0]) if address else ""
        except OSError as error:
            log.warning("no connection: %s", error)
            time.sleep(0.1)


def _resolver() -> str:
    for line in Path("/etc/resolv.conf").read_text().splitlines():
        if line.startswith("nameserver "):
            return line.split()[1]
    return "127.0.0.11"


def _over_udp(datagrams: socket.socket, pool: ThreadPoolExecutor, places: QuestionPlaces) -> None:
    while True:
        question, asker = datagrams.recvfrom(_LARGEST)
        if places.take(asker[0]):
            pool.submit(_answer, datagrams, question, asker, places)


def _answer(datagrams: socket.socket, question: bytes, asker: tuple[str, int], places: QuestionPlaces) -> None:
    with (
        places.given_back(asker[0]),
        contextlib.suppress(OSError),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as upstream,
    ):
        upstream.settimeout(_PATIENCE)
        upstream.connect((_resolver(), _PORT))
        upstream.send(question)
        datagrams.sendto(upstream.recv(_LARGEST), asker)


def _over_tcp(listener: socket.socket, pool: ThreadPoolExecutor, places: QuestionPlaces) -> None:
    while True:
        asker, address = accepted(listener)
        if places.take(address):
            pool.submit(_converse, asker, address, places)
        else:
            asker.close()


def _converse(asker: socket.socket, address: str, places: QuestionPlaces) -> None:
    """Forwards one query over TCP, and its answer; each begins with its length in two bytes."""
    with (
        places.given_back(address),
        contextlib.suppress(OSError),
        asker,
        socket.create_connection((_resolver(), _PORT), _PATIENCE) as upstream,
    ):
        asker.settimeout(_PATIENCE)
        upstream.sendall(_message(asker))
        asker.sendall(_message(upstream))


def _message(source: socket.socket) -> bytes:
    with source.makefile("rb") as stream:
        head = stream.read(2)
        return head + stream.read(int.from_bytes(head, "big"))
