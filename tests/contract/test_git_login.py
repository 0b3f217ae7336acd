"""A private repository over https: git asks for the token, and the token is visible nowhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from norn_tasks.adapters.sources.git import GitCommand
from norn_tasks.domain.errors import SourceError
from norn_tasks.domain.secret import Secret
from norn_tasks.ports import GitLogin
from tests.fakes.stop import FakeWatch
from tests.git_server import GitServer

TOKEN = "canary-4f1d9a7c-token"


class Logins:
    """Gives every repository the same login."""

    def __init__(self, token: str = TOKEN) -> None:
        self._token = token

    def of(self, url: str) -> GitLogin | None:
        return GitLogin("deploys", Secret(self._token))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    server = GitServer(tmp_path_factory.mktemp("git") / "home")
    server.repository("blog").commit({"a": b"1"})
    server.login = ("deploys", TOKEN)
    yield server
    server.stop()


def git(server: GitServer, logins: Logins | None) -> GitCommand:
    return GitCommand(allow_private=True, timeout=60, most=2**20, ca=server.ca, logins=logins)


def test_a_private_repository_is_read_with_its_token(server: GitServer, tmp_path: Path) -> None:
    watch = FakeWatch()
    checkout = git(server, Logins()).checkout(server.url("blog"), "main", tmp_path / "x" / "source", watch.watch)
    assert (checkout.path / "a").read_bytes() == b"1"
    left = [path for path in tmp_path.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert (left, [path for path in server.asked if TOKEN in path], TOKEN in repr(Logins().of(""))) == ([], [], False)


def test_the_token_is_in_no_argument(server: GitServer) -> None:
    seen: list[str] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.append(path.read_bytes().decode("utf-8", "replace"))
                except OSError:
                    continue

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        assert git(server, Logins()).newest(server.url("blog"), "main", FakeWatch().watch) is not None
    finally:
        done.set()
        watcher.join()
    assert any("ls-remote" in each for each in seen) and not any(TOKEN in each for each in seen)


@pytest.mark.parametrize("logins", [None, Logins("another")])
def test_without_the_right_token_it_is_refused_with_what_helps(server: GitServer, logins: Logins | None) -> None:
    with pytest.raises(SourceError) as refused:
        git(server, logins).newest(server.url("blog"), "main", FakeWatch().watch)
    assert "norn repo login" in refused.value.hint
    assert TOKEN not in refused.value.sentence
