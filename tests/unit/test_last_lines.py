"""When a container is removed, its last log lines are saved, even if the log reader is busy; the removal never fails
because of them.
"""

from __future__ import annotations

import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from norn_tasks.adapters.docker.client import APP, EngineClient
from norn_tasks.adapters.docker_cluster import policy
from norn_tasks.adapters.docker_cluster.collecting import LastLines
from norn_tasks.adapters.docker_cluster.collecting import container as collecting
from norn_tasks.adapters.kept_logs import KeepLimits, KeptLogDirectory
from norn_tasks.domain.app_logs.lines import LogOrigin
from norn_tasks.domain.redaction import NOTHING_HIDDEN, Redaction
from tests.servers import allowed, wait_until

ORIGIN = LogOrigin("a" * 64, 1, 10, 1)
LABELS = {APP: "blog", policy.RELEASE: "1", policy.GENERATION: "10", policy.INDEX: "1"}


class Engine(socketserver.ThreadingUnixStreamServer):
    """Sends one log of much text, and knows one container."""

    daemon_threads = True

    def __init__(self, place: Path) -> None:
        super().__init__(str(place), _Log)
        self.address = f"unix://{place}"

    def briefly(self, _: object) -> dict[str, Any]:
        """Returns the container."""
        return {"Id": ORIGIN.container, "Config": {"Labels": LABELS}}


class _Log(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        """Sends the lines."""
        now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
        for n in range(4000):
            line = f"{now}.{n:09d}Z {'x' * 100}\n".encode()
            self.wfile.write(struct.pack(">BxxxL", 1, len(line)) + line)


class _Hiding:
    def of(self, app: str) -> Redaction:
        """Hides nothing."""
        return NOTHING_HIDDEN


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path / "engine.sock") as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def kept(root: Path) -> KeptLogDirectory:
    return KeptLogDirectory(root, KeepLimits(64 * 2**20, 86400.0), 0)


def last_lines(engine: Engine, logs: KeptLogDirectory) -> LastLines:
    return LastLines(cast(EngineClient, engine), logs, _Hiding())


def test_a_removal_reads_while_the_reader_of_a_heavy_writer_rests(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "_REST", 120.0)
    logs, stop = kept(tmp_path / "logs"), threading.Event()
    container = collecting.ContainerLog(engine.address, logs, _Hiding(), "blog", ORIGIN)
    reader = threading.Thread(target=container.collect, args=[stop])
    reader.start()
    try:
        wait_until(lambda: logs.position("blog", ORIGIN.container) != {}, allowed(10), "it has read")
        with logs.reader("blog", ORIGIN.container, allowed(5)) as mine:
            assert mine
    finally:
        stop.set()
        reader.join()


def test_lines_that_another_reader_may_lose_are_logged(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(collecting, "_WAIT_FOR_READER", 0.0)
    logs = kept(tmp_path / "logs")
    with logs.reader("blog", ORIGIN.container, 0):
        last_lines(engine, kept(tmp_path / "logs")).keep(ORIGIN.container)
    assert "the last lines of aaaaaaaaaaaa may be lost: its log was still being read" in caplog.text


def test_a_directory_that_cannot_be_written_stops_no_removal(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    last_lines(engine, kept(tmp_path / "file" / "logs")).keep(ORIGIN.container)
    assert "the last lines of aaaaaaaaaaaa were not kept: [Errno 20] Not a directory" in caplog.text
