"""The promises of fetching a commit, tested on the fake and on real repositories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from norn_tasks.adapters.sources.git import GitCommand
from norn_tasks.domain.errors import SourceError, Stopped
from norn_tasks.ports import Git
from tests.contract.repository import Repository
from tests.fakes.git import FakeGit
from tests.fakes.stop import FakeWatch

ONE_MIB = 2**20


class Forge(Protocol):
    """The address of the test's repository, and functions that change it."""

    @property
    def git(self) -> Git: ...

    @property
    def url(self) -> str: ...

    def commit(self, files: Mapping[str, bytes]) -> str: ...

    def name(self, ref: str, sha: str) -> None: ...


@dataclass
class FakeForge:
    git: FakeGit
    url: str = "https://git.example/blog.git"

    def commit(self, files: Mapping[str, bytes]) -> str:
        return self.git.commit(self.url, files)

    def name(self, ref: str, sha: str) -> None:
        self.git.point(self.url, ref, sha)


@dataclass
class RealForge:
    git: GitCommand
    repository: Repository

    @property
    def url(self) -> str:
        return self.repository.url

    def commit(self, files: Mapping[str, bytes]) -> str:
        return self.repository.commit(files)

    def name(self, ref: str, sha: str) -> None:
        self.repository.git("tag", ref, sha)


@pytest.fixture(params=["fake", "git"])
def forge(request: pytest.FixtureRequest, tmp_path: Path) -> Forge:
    if request.param == "fake":
        return FakeForge(FakeGit(most=ONE_MIB))
    git = GitCommand(allow_private=True, timeout=30, most=ONE_MIB)
    return RealForge(git, Repository(tmp_path / "repository"))


def names(path: Path) -> list[str]:
    return sorted(str(each.relative_to(path)) for each in path.rglob("*") if each.is_file())


def test_a_branch_is_its_newest_commit(forge: Forge, tmp_path: Path) -> None:
    forge.commit({"a": b"old"})
    newest = forge.commit({"a": b"new", "b/c": b"more"})
    checkout = forge.git.checkout(forge.url, "main", tmp_path / "x" / "source", FakeWatch().watch)
    assert (checkout.revision, (checkout.path / "a").read_bytes()) == (newest, b"new")


def test_only_the_files_come(forge: Forge, tmp_path: Path) -> None:
    forge.commit({"a": b"1", "b/c": b"2"})
    forge.git.checkout(forge.url, "main", tmp_path / "x" / "source", FakeWatch().watch)
    assert (names(tmp_path / "x" / "source"), len(list((tmp_path / "x").iterdir()))) == (["a", "b/c"], 1)


def test_a_tag_is_its_commit(forge: Forge, tmp_path: Path) -> None:
    first = forge.commit({"a": b"1"})
    forge.name("v1.0", first)
    forge.commit({"a": b"2"})
    assert forge.git.checkout(forge.url, "v1.0", tmp_path / "source", FakeWatch().watch).revision == first


@pytest.mark.parametrize("digits", [40, 10])
def test_a_commit_in_the_past_is_found_by_its_sha(forge: Forge, tmp_path: Path, digits: int) -> None:
    first = forge.commit({"a": b"1"})
    forge.commit({"a": b"2"})
    checkout = forge.git.checkout(forge.url, first[:digits], tmp_path / "source", FakeWatch().watch)
    assert (checkout.revision, (checkout.path / "a").read_bytes()) == (first, b"1")


@pytest.mark.parametrize("ref", ["nosuch", "v9", "deadbeef", "0" * 40])
def test_an_unknown_ref_is_named(forge: Forge, tmp_path: Path, ref: str) -> None:
    forge.commit({"a": b"1"})
    with pytest.raises(SourceError, match=f"has no branch, tag or commit {ref}"):
        forge.git.checkout(forge.url, ref, tmp_path / "source", FakeWatch().watch)


def test_an_unknown_repository_is_named(forge: Forge, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"could not read .*nowhere"):
        forge.git.checkout(f"{forge.url}-nowhere", "main", tmp_path / "source", FakeWatch().watch)


def test_what_was_in_the_directory_is_gone(forge: Forge, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "old").write_text("old")
    forge.commit({"a": b"1"})
    forge.git.checkout(forge.url, "main", tmp_path / "source", FakeWatch().watch)
    assert names(tmp_path / "source") == ["a"]


def test_a_source_over_the_limit_is_refused(forge: Forge, tmp_path: Path) -> None:
    forge.commit({"a": bytes(ONE_MIB + 1)})
    with pytest.raises(SourceError, match="larger than 1 MiB"):
        forge.git.checkout(forge.url, "main", tmp_path / "source", FakeWatch().watch)


def test_a_stopped_job_fetches_nothing(forge: Forge, tmp_path: Path) -> None:
    forge.commit({"a": b"1"})
    watch = FakeWatch()
    watch.stop.set("cancelled")
    with pytest.raises(Stopped):
        forge.git.checkout(forge.url, "main", tmp_path / "source", watch.watch)


def test_the_newest_commit_of_a_branch_is_known_without_its_files(forge: Forge) -> None:
    newest = forge.commit({"a": b"1"})
    watch = FakeWatch().watch
    assert (forge.git.newest(forge.url, "main", watch), forge.git.newest(forge.url, "gone", watch)) == (newest, None)


def test_two_commits_differ_by_their_files(forge: Forge) -> None:
    first = forge.commit({"a": b"1", "b/c": b"2", "d": b"3"})
    second = forge.commit({"a": b"1", "b/c": b"changed", "d": b"3", 'ä "q"': b"4"})
    assert forge.git.difference(forge.url, first, second, FakeWatch().watch).paths == ("b/c", 'ä "q"')


def test_a_commit_that_is_gone_cannot_be_compared(forge: Forge) -> None:
    found = forge.git.difference(forge.url, "1" * 40, forge.commit({"a": b"1"}), FakeWatch().watch)
    assert (found.paths, "1" * 40 in found.because) == (None, True)
