"""A real git repository for tests to fetch from, made with plain git."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.fakes.directories import written

_WHO = ["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=main"]


class Repository:
    """A repository with a work tree at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"file://{path}"
        path.mkdir()
        self.git("init", "--quiet")

    def git(self, *words: str, given: str = "") -> str:
        """Runs git in the repository with `given` as its input, and returns its output."""
        done = subprocess.run(
            ["git", *_WHO, *words], cwd=self.path, input=given, check=True, capture_output=True, text=True, timeout=30
        )
        return done.stdout.strip()

    def commit(self, files: Mapping[str, bytes]) -> str:
        """Writes the files, commits everything, and returns the SHA."""
        written(files, self.path)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "a change")
        return self.git("rev-parse", "HEAD")

    def blob(self, content: bytes) -> str:
        """Stores the content of a file and returns its object id."""
        return self._object("blob", content)

    def raw_tree(self, listing: str) -> str:
        """Stores a tree from lines in the format of `git ls-tree`, even if git would refuse it; returns its
        object id.
        """
        entries = b""
        for line in filter(None, listing.split("\n")):
            meta, name = line.split("\t")
            mode, _, item = meta.split(" ")
            entries += f"{mode.lstrip('0')} {name}\0".encode() + bytes.fromhex(item)
        return self._object("tree", entries)

    def commit_tree(self, tree: str) -> None:
        """Makes `main` a commit with this tree."""
        self.git("update-ref", "refs/heads/main", self.git("commit-tree", tree, given="a change"))

    def _object(self, kind: str, content: bytes) -> str:
        made = ["git", "hash-object", "--literally", "-w", "-t", kind, "--stdin"]
        done = subprocess.run(made, cwd=self.path, input=content, check=True, capture_output=True, timeout=30)
        return done.stdout.decode().strip()
