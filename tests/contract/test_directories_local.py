"""Cases that only real directories have: commits, links, modes, entries that are not files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from norn_tasks.adapters.sources.directories import LocalDirectories
from norn_tasks.adapters.sources.tree_copy import TreeCopy
from norn_tasks.domain.errors import SourceError
from tests.contract.repository import Repository
from tests.deep import deep
from tests.fakes.directories import written
from tests.fakes.stop import FakeWatch


def revision(origin: Path, into: Path) -> str:
    return LocalDirectories(most=2**20).checkout(origin, into, FakeWatch().watch).revision


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "work" / "source"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "blog")


def test_a_clean_repository_is_its_commit(repository: Repository, into: Path) -> None:
    (repository.path / "link").symlink_to("a")
    sha = repository.commit({"a": b"1", ".gitignore": b"ignored\n"})
    written({"ignored": b"x"}, repository.path)
    assert revision(repository.path, into) == sha


def test_its_packed_branches_are_read_too(repository: Repository, into: Path) -> None:
    sha = repository.commit({"a": b"1"})
    repository.git("gc", "--quiet")
    assert revision(repository.path, into) == sha


def test_a_detached_head_is_its_commit(repository: Repository, into: Path) -> None:
    sha = repository.commit({"a": b"1"})
    repository.git("checkout", "--quiet", "--detach")
    assert revision(repository.path, into) == sha


@pytest.mark.parametrize("change", [{"a": b"2"}, {"new": b"1"}], ids=["changed", "untracked"])
def test_a_repository_with_changes_is_its_content(repository: Repository, into: Path, change: dict[str, bytes]) -> None:
    repository.commit({"a": b"1"})
    written(change, repository.path)
    assert revision(repository.path, into).startswith("dir-")


def test_the_repository_is_not_copied(repository: Repository, into: Path) -> None:
    repository.commit({"a": b"1"})
    revision(repository.path, into)
    assert sorted(each.name for each in into.iterdir()) == ["a"]


def test_a_repository_around_it_is_not_asked(repository: Repository, into: Path) -> None:
    repository.commit({"inner/a": b"1"})
    assert revision(repository.path / "inner", into).startswith("dir-")


def test_nothing_of_the_repository_is_run(repository: Repository, into: Path, tmp_path: Path) -> None:
    sha = repository.commit({"a": b"1", ".gitattributes": b"* filter=evil\n"})
    for key in ("filter.evil.clean", "filter.evil.smudge", "core.fsmonitor", "core.sshCommand"):
        repository.git("config", key, f"touch {tmp_path}/canary; cat")
    assert (revision(repository.path, into), (tmp_path / "canary").exists()) == (sha, False)


def test_links_stay_links(tmp_path: Path, into: Path) -> None:
    origin = tmp_path / "blog"
    origin.mkdir()
    (origin / "out").symlink_to("/etc/passwd")
    (origin / "up").symlink_to("..")
    revision(origin, into)
    assert [(into / name).readlink() for name in ("out", "up")] == [Path("/etc/passwd"), Path("..")]


def test_what_may_be_executed_still_may(tmp_path: Path, into: Path) -> None:
    origin = tmp_path / "blog"
    written({"run": b"#!/bin/sh\n", "data": b""}, origin)
    (origin / "run").chmod(0o700)
    revision(origin, into)
    assert [os.access(into / name, os.X_OK) for name in ("run", "data")] == [True, False]


def test_the_executable_bit_is_part_of_the_revision(tmp_path: Path, into: Path) -> None:
    origin = tmp_path / "blog"
    written({"run": b""}, origin)
    before = revision(origin, into)
    (origin / "run").chmod(0o755)
    assert revision(origin, into) != before


def test_what_is_no_file_is_left_out(tmp_path: Path, into: Path) -> None:
    origin = tmp_path / "blog"
    written({"a": b""}, origin)
    os.mkfifo(origin / "pipe")
    watch = FakeWatch()
    LocalDirectories(most=2**20).checkout(origin, into, watch.watch)
    assert not (into / "pipe").exists() and "pipe" in "".join(watch.said)


def test_a_tree_of_too_many_files_is_refused(tmp_path: Path, into: Path) -> None:
    written({"a": b"", "b": b"", "c": b""}, tmp_path / "blog")
    into.mkdir(parents=True)
    with pytest.raises(SourceError, match="2 files"):
        TreeCopy(tmp_path / "blog", into, 2**20, 2, FakeWatch().watch).copy()


def test_a_deep_tree_is_refused(tmp_path: Path, into: Path) -> None:
    with deep(tmp_path / "deep", 1500) as tree, pytest.raises(SourceError, match="more than 64 directories deep"):
        LocalDirectories(most=2**20).checkout(tree, into, FakeWatch().watch)
