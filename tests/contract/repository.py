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
        """Runs git in it, gives it `given` to read, and answers what it said."""
        done = subprocess.run(
            ["git", *_WHO, *words], cwd=self.path, input=given, check=True, capture_output=True, text=True, timeout=30
        )
        return done.stdout.strip()

    def commit(self, files: Mapping[str, bytes]) -> str:
        """Writes the files, commits all there is, and answers the SHA."""
        written(files, self.path)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "a change")
        return self.git("rev-parse", "HEAD")
