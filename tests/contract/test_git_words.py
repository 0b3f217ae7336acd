"""The error messages about a repository that a real git cannot read over HTTP: the cause, and the hint."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from norn_tasks.adapters.sources.git_messages import explained
from norn_tasks.adapters.sources.hardened_git import HardenedGit
from tests.fakes.stop import FakeWatch


class _Host(BaseHTTPRequestHandler):
    """A git server: `/private` requires a login, `/moved` redirects, every other path does not exist."""

    def do_GET(self) -> None:
        self.send_response(
            {"/private": 401, "/moved": 301}.get(self.path.removesuffix("/info/refs?service=git-upload-pack"), 404)
        )
        self.send_header("WWW-Authenticate", "Basic realm=git")
        self.send_header("Location", "/elsewhere.git")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Writes no log."""


@pytest.fixture
def host() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Host)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "why", "way_out"),
    [
        ("private", "could not read Username", "repo.url: git@host:path.git, and a key without passphrase in ~/.ssh"),
        ("moved", "returned error: 301", "write in repo.url the address to which it redirects"),
        ("gone", "not found", "check repo.url"),
    ],
)
def test_a_repository_that_cannot_be_read(host: str, tmp_path: Path, path: str, why: str, way_out: str) -> None:
    config = ("protocol.http.allow=always", "http.followRedirects=false")
    git = HardenedGit(tmp_path / "git", FakeWatch().watch, config)
    git.make(20)
    done = git.call(["ls-remote", "--", f"{host}/{path}"], 20)
    said, hint = explained(done.last_lines, done.code)
    assert (why in said, way_out in hint) == (True, True), (said, hint)
