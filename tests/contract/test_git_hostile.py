"""Attacks by a hostile repository, address or ref, each of which must be refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from norn_tasks.adapters.sources.git import GitCommand
from norn_tasks.adapters.sources.git_address import resolved_address
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


def test_a_host_without_an_address_is_named() -> None:
    stop = FakeWatch().watch.stop
    with pytest.raises(SourceError, match=r"git\.example has no address"):
        resolved_address("https://git.example/x.git", allow_private=False, stop=stop, resolve=lambda *_, **__: [])


@pytest.mark.parametrize(
    "inward", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00:ec2::254", "::ffff:10.0.0.1"]
)
@pytest.mark.parametrize("outward", [(), ("1.1.1.1",), ("1.1.1.1", "2606:4700::1111")])
def test_one_inward_address_among_the_answers_is_enough(inward: str, outward: tuple[str, ...]) -> None:
    """A name with two addresses could use the public one when it is checked, and the other one for the connection."""
    answers = [(0, 0, 0, "", (each, 443)) for each in (*outward, inward)]
    with pytest.raises(SourceError, match="not an address of the public internet"):
        resolved_address(
            "https://git.example/x.git",
            allow_private=False,
            stop=FakeWatch().watch.stop,
            resolve=lambda *_, **__: answers,
        )


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


def without_end(repository: Repository) -> str:
    """Commits a tree of ten levels, in each of which ten entries name the same object, and returns the SHA. It has few
    objects, but 10,000,000,000 files.
    """
    kind, item = "100644 blob", repository.git("hash-object", "-w", "--stdin")
    for _ in range(10):
        item = repository.git("mktree", given="".join(f"{kind} {item}\tf{n}\n" for n in range(10)))
        kind = "040000 tree"
    commit = repository.git("commit-tree", item, given="many")
    repository.git("update-ref", "refs/heads/main", commit)
    return commit


def test_a_tree_without_end_is_not_counted_to_its_end(repository: Repository, tmp_path: Path) -> None:
    without_end(repository)
    git = GitCommand(allow_private=True, timeout=10, most=2**20)
    with pytest.raises(SourceError, match="50000 files"):
        git.checkout(repository.url, "main", tmp_path / "source", FakeWatch().watch)


def test_a_tree_without_end_is_not_compared(repository: Repository) -> None:
    small = repository.commit({"a": b"1"})
    vast = without_end(repository)
    git = GitCommand(allow_private=True, timeout=10, most=2**20)
    with pytest.raises(SourceError, match="50000 files"):
        git.difference(repository.url, small, vast, FakeWatch().watch)
    found = git.difference(repository.url, vast, small, FakeWatch().watch)
    assert (found.paths, "50000 files" in found.because) == (None, True)


def test_files_that_grow_when_they_are_written_are_weighed(
    git: GitCommand, repository: Repository, tmp_path: Path
) -> None:
    repository.commit({"a": b"\n" * 200_000})
    (repository.path / ".gitattributes").write_text("a text working-tree-encoding=UTF-32 eol=crlf\n")
    repository.git("add", ".gitattributes")
    repository.git("commit", "--quiet", "--message", "encoded")
    with pytest.raises(SourceError, match="larger than 1 MiB"):
        git.checkout(repository.url, "main", tmp_path / "source", FakeWatch().watch)


def test_a_deep_tree_is_refused_before_it_is_written(git: GitCommand, repository: Repository, tmp_path: Path) -> None:
    blob = repository.git("hash-object", "-w", "--stdin")
    repository.git("update-index", "--add", "--index-info", given=f"100644 {blob}\t{'d/' * 64}f\n")
    repository.git("commit", "--quiet", "--message", "deep")
    with pytest.raises(SourceError, match="more than 64 directories deep"):
        git.checkout(repository.url, "main", tmp_path / "source", FakeWatch().watch)
    assert list((tmp_path / "source").iterdir()) == []


def test_past_its_limit_a_fetch_is_ended(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"a": b"1"})
    git = GitCommand(allow_private=True, timeout=0, most=2**20)
    with pytest.raises(TimedOut, match="took longer than 0 s"):
        git.checkout(repository.url, "main", tmp_path / "source", FakeWatch().watch)


def test_credentials_in_an_address_are_not_told(git: GitCommand, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as failed:
        git.checkout("https://joe:s3cret@localhost:1/x.git", "main", tmp_path / "source", FakeWatch().watch)
    assert "s3cret" not in failed.value.sentence and "***@localhost" in failed.value.sentence


TREES = {
    "git's own directory": "100644 blob {blob}\t.git\n",
    "git's own directory in capitals": "040000 tree {tree}\t.GIT\n",
    "git's own directory for Windows": "040000 tree {tree}\tgit~1\n",
    "git's own directory for a Mac": "040000 tree {tree}\t.g\u200cit\n",
    "the parent": "040000 tree {tree}\t..\n",
    "itself": "040000 tree {tree}\t.\n",
    "no name": "100644 blob {blob}\t\n",
    "a path": "100644 blob {blob}\ta/../../x\n",
    "an absolute path": "100644 blob {blob}\t/tmp/norn-canary\n",
    "a link and a directory of one name": "120000 blob {out}\ta\n040000 tree {tree}\ta\n",
    "a directory and a link of one name": "040000 tree {tree}\ta\n120000 blob {out}\ta\n",
    "modules that are a link": "120000 blob {out}\t.gitmodules\n",
    "attributes that are a link": "120000 blob {out}\t.gitattributes\n",
    "an option": "100644 blob {blob}\t--upload-pack=touch canary\n",
}


@pytest.mark.parametrize("listing", TREES.values(), ids=TREES.keys())
def test_a_tree_that_git_would_not_make_writes_nothing_outside(
    git: GitCommand, repository: Repository, tmp_path: Path, listing: str
) -> None:
    """Its link leads to the parent directory: without a check, the file `hooks` would be written there."""
    blob, out = repository.blob(b"#!/bin/sh\ntouch canary\n"), repository.blob(b"..")
    tree = repository.raw_tree(f"100755 blob {blob}\thooks\n")
    repository.commit_tree(repository.raw_tree(listing.format(blob=blob, out=out, tree=tree)))
    before = {each.name for each in tmp_path.iterdir()}
    try:
        git.checkout(repository.url, "main", tmp_path / "source", FakeWatch().watch)
    except SourceError as refused:
        assert refused.sentence
    assert {each.name for each in tmp_path.iterdir()} - before <= {"source"}
    assert not list(tmp_path.rglob("canary")) and not Path("/tmp/norn-canary").exists()
