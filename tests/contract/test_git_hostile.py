"""What a hostile repository, address or ref tries, and where it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from norn_tasks.adapters.git import GitCommand
from norn_tasks.domain.errors import SourceError, TimedOut
from tests.contract.repository import Repository
from tests.fakes.stop import FakeWatch


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


@pytest.fixture
def git() -> GitCommand:
    return GitCommand(allow_private=True, timeout=30, most=2**20)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/x.git",
        "https://localhost/x.git",
        "https://2130706433/x.git",
        "https://[::1]/x.git",
        "https://[::ffff:10.0.0.1]/x.git",
        "https://[64:ff9b::7f00:1]/x.git",
        "https://169.254.169.254/latest",
        "https://10.1.2.3/x.git",
        "https://user:pass@192.168.0.1/x.git",
        "ssh://git@127.0.0.1/x.git",
        "git@localhost:x.git",
    ],
)
def test_private_addresses_are_refused(url: str, tmp_path: Path) -> None:
    git = GitCommand(allow_private=False, timeout=10, most=2**20)
    with pytest.raises(SourceError, match="not an address of the public internet") as refused:
        git.checkout(url, "main", tmp_path / "source", FakeWatch().watch)
    assert "pass" not in refused.value.sentence


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc",
        "/etc",
        "http://git.example/x.git",
        "git://git.example/x.git",
        "ext::sh -c touch% canary",
        "ext::sh",
        "-uupload-pack",
        "--upload-pack=touch canary",
        "ssh://-oProxyCommand=touch/x",
        "https://git.example/x\n.git",
        "git@-oProxyCommand=x:y",
        "https://a b/x",
        "",
    ],
)
def test_other_addresses_are_refused(url: str, tmp_path: Path) -> None:
    git = GitCommand(allow_private=False, timeout=10, most=2**20)
    with pytest.raises(SourceError):
        git.checkout(url, "main", tmp_path / "source", FakeWatch().watch)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ref", ["-x", "--upload-pack=touch", "a..b", "a b", "", "@{u}", "x\ny", "a:b", "HEAD"])
def test_refs_that_are_none_are_refused(git: GitCommand, repository: Repository, tmp_path: Path, ref: str) -> None:
    repository.commit({"a": b"1"})
    with pytest.raises(SourceError):
        git.checkout(repository.url, ref, tmp_path / "source", FakeWatch().watch)


def test_links_stay_links(git: GitCommand, repository: Repository, tmp_path: Path) -> None:
    (repository.path / "out").symlink_to("/etc/passwd")
    repository.commit({})
    git.checkout(repository.url, "main", tmp_path / "source", FakeWatch().watch)
    assert (tmp_path / "source" / "out").readlink() == Path("/etc/passwd")


def test_submodules_are_not_fetched_and_that_is_told(git: GitCommand, repository: Repository, tmp_path: Path) -> None:
    other = Repository(tmp_path / "other")
    other.commit({"secret": b"1"})
    repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", other.url, "module")
    repository.commit({"a": b"1"})
    watch = FakeWatch()
    git.checkout(repository.url, "main", tmp_path / "source", watch.watch)
    assert not (tmp_path / "source" / "module" / "secret").exists() and "submodules" in "".join(watch.said)


def test_filters_of_the_repository_do_not_run(git: GitCommand, repository: Repository, tmp_path: Path) -> None:
    repository.git("config", "filter.lfs.smudge", f"touch {tmp_path}/canary")
    watch = FakeWatch()
    repository.commit({".gitattributes": b"* filter=lfs\n", "a": b"version https://git-lfs.github.com/spec/v1\n"})
    git.checkout(repository.url, "main", tmp_path / "source", watch.watch)
    assert not (tmp_path / "canary").exists() and "LFS" in "".join(watch.said)


def test_many_files_are_too_large_as_well(git: GitCommand, repository: Repository, tmp_path: Path) -> None:
    blob = repository.git("hash-object", "-w", "--stdin")
    listing = "".join(f"100644 {blob}\tf{n}\n" for n in range(50_001))
    repository.git("update-index", "--add", "--index-info", given=listing)
    repository.git("commit", "--quiet", "--message", "many")
    with pytest.raises(SourceError, match="50000 files"):
        git.checkout(repository.url, "main", tmp_path / "source", FakeWatch().watch)


def test_past_its_limit_a_fetch_is_ended(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"a": b"1"})
    git = GitCommand(allow_private=True, timeout=0, most=2**20)
    with pytest.raises(TimedOut, match="took longer than 0 s"):
        git.checkout(repository.url, "main", tmp_path / "source", FakeWatch().watch)


def test_credentials_in_an_address_are_not_told(git: GitCommand, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as failed:
        git.checkout("https://joe:s3cret@localhost:1/x.git", "main", tmp_path / "source", FakeWatch().watch)
    assert "s3cret" not in failed.value.sentence and "***@localhost" in failed.value.sentence
