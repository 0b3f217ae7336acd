"""Packing a directory: which files are left out, which are kept unchanged, and that the same tree gives the same
archive.
"""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from norn_cli.errors import CliError
from norn_cli.uploads.ignoring import Ignored
from norn_cli.uploads.packing import Packed, pack
from norn_tasks.domain.sources import archive

MIB = 2**20


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def packed(root: Path, *always: str, most: int = MIB) -> Packed:
    return pack(root, Ignored(root, always), most)


def names(root: Path, *always: str) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(packed(root, *always).archive)) as opened:
        return opened.getnames()


def test_the_same_tree_is_the_same_archive_wherever_and_whenever(tmp_path: Path) -> None:
    one, two = (written(tmp_path / name, {"b/c": "2", "a": "1"}) for name in ("one", "two"))
    os.utime(two / "a", (1, 1))
    assert packed(one) == packed(two)


def test_the_server_calls_the_tree_as_the_command_does(tmp_path: Path) -> None:
    root = written(tmp_path, {"a": "1", "bin/run": "#!/bin/sh", "ümlaut/ß": "", "empty/x": ""})
    (root / "empty" / "x").unlink()
    (root / "bin" / "run").chmod(0o755)
    (root / "link").symlink_to("bin/run")
    made = packed(root)
    tree = archive.read(io.BytesIO(made.archive), MIB, archive.DiscardingConsumer())
    assert (tree.revision, tree.files, tree.size) == (made.revision, made.files, made.size)


def test_links_stay_links(tmp_path: Path) -> None:
    written(tmp_path, {"a": "1"})
    (tmp_path / "link").symlink_to("a")
    with tarfile.open(fileobj=io.BytesIO(packed(tmp_path).archive)) as opened:
        member = opened.getmember("link")
    assert (member.issym(), member.linkname) == (True, "a")


def test_git_is_left_out(tmp_path: Path) -> None:
    assert names(written(tmp_path, {".git/config": "", "sub/.git/config": "", "a": ""})) == ["a", "sub"]


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        ("*.md", ["docs", "docs/a.md", "src", "src/b"]),
        ("**/*.md", ["docs", "src", "src/b"]),
        ("/docs", ["README.md", "src", "src/b"]),
        ("docs/", ["README.md", "src", "src/b"]),
        ("# a remark\n\n.", ["README.md", "docs", "docs/a.md", "src", "src/b"]),
        ("*\n!src", ["src", "src/b"]),
        ("docs\n!docs/a.md", ["README.md", "docs", "docs/a.md", "src", "src/b"]),
        ("*\n!docs/*.md", ["docs", "docs/a.md"]),
    ],
)
def test_dockerignore_is_read_as_the_builder_reads_it(tmp_path: Path, rules: str, kept: list[str]) -> None:
    written(tmp_path, {"README.md": "", "docs/a.md": "", "src/b": "", ".dockerignore": rules})
    assert names(tmp_path) == [".dockerignore", *kept]


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        ({".gitignore": "*.log\n"}, ["a", "sub", "sub/c"]),
        ({".gitignore": "sub/\n"}, ["a", "b.log"]),
        ({".gitignore": "*.log\n!sub/d.log\n"}, ["a", "sub", "sub/c", "sub/d.log"]),
        ({"sub/.gitignore": "*.log\n"}, ["a", "b.log", "sub", "sub/c"]),
        ({".gitignore": "*.log\n", "sub/.gitignore": "!d.log\n"}, ["a", "sub", "sub/c", "sub/d.log"]),
    ],
)
def test_gitignore_is_read_as_git_reads_it(tmp_path: Path, rules: dict[str, str], kept: list[str]) -> None:
    written(tmp_path, {"a": "", "b.log": "", "sub/c": "", "sub/d.log": "", **rules})
    assert [name for name in names(tmp_path) if not name.endswith(".gitignore")] == kept


@pytest.mark.parametrize("rule", ["/built/\n", "built\n", "app/\n"])
def test_a_directory_that_the_repository_ignores_is_whole_all_the_same(tmp_path: Path, rule: str) -> None:
    """Like the apps of `make demo`: without these files a build would fail, and the user would not know why."""
    app = tmp_path / "built" / "app"
    written(tmp_path, {".git/config": "", ".gitignore": rule, "built/app/VERSION": "1", "built/app/b.log": ""})
    written(app, {".gitignore": "*.log\n"})
    assert names(app) == [".gitignore", "VERSION"]


def test_a_gitignore_above_counts_up_to_the_repository(tmp_path: Path) -> None:
    written(tmp_path, {".gitignore": "a\n", "repo/.git/config": "", "repo/.gitignore": "*.log\n"})
    written(tmp_path / "repo" / "app", {"a": "", "b.log": ""})
    assert names(tmp_path / "repo" / "app") == ["a"]


def test_what_the_build_needs_is_kept_whatever_the_rules_say(tmp_path: Path) -> None:
    files = {".dockerignore": "*", "infraspec.yaml": "", "docker/Dockerfile": "", "docker/other": "", "a": ""}
    kept = names(written(tmp_path, files), "infraspec.yaml", "docker/Dockerfile")
    assert kept == [".dockerignore", "docker", "docker/Dockerfile", "infraspec.yaml"]


def test_what_is_no_file_is_left_out_and_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    written(tmp_path, {"a": ""})
    made = packed(tmp_path)
    assert (made.left_out, made.files) == (("pipe",), 1)


def test_a_tree_over_the_limit_is_refused_with_the_place(tmp_path: Path) -> None:
    written(tmp_path, {"large": "x" * 2000})
    with pytest.raises(CliError, match=r"larger than .* at large"):
        packed(tmp_path, most=1000)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="missing cannot be read"):
        packed(tmp_path / "missing")
