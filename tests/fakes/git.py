"""Git in memory: a repository has refs and commits, and a commit has files."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from norn_tasks.domain.errors import SourceError
from norn_tasks.ports import Checkout, Difference, Watch
from tests.fakes.directories import written

Files = Mapping[str, bytes]


@dataclass
class FakeGit:
    """A fake of `ports.Git`. Tests use `commit` and `point`; `refs[url][name]` is a SHA, `commits[sha]` its files."""

    refs: dict[str, dict[str, str]] = field(default_factory=dict)
    commits: dict[str, Files] = field(default_factory=dict)
    most: int = 64 * 2**20

    def commit(self, url: str, files: Files, branch: str = "main") -> str:
        """Adds a commit to a branch, and returns its SHA."""
        known = repr((url, sorted(files.items()), len(self.commits))).encode()
        sha = hashlib.sha1(known, usedforsecurity=False).hexdigest()
        self.commits[sha] = dict(files)
        self.point(url, branch, sha)
        return sha

    def point(self, url: str, ref: str, sha: str) -> None:
        """Makes a branch or tag refer to a commit."""
        self.refs.setdefault(url, {})[ref] = sha

    def checkout(self, url: str, ref: str, into: Path, watch: Watch) -> Checkout:
        """Writes the files of the commit that the ref names; raises SourceError if there is none, or if they are too
        large.
        """
        watch.stop.check()
        if url not in self.refs:
            raise SourceError(f"git could not read {url}: it is not there")
        named = [sha for sha in self.commits if len(ref) >= 7 and sha.startswith(ref)]
        sha = self.refs[url].get(ref) or (named[0] if named else None)
        if sha is None:
            raise SourceError(f"{url} has no branch, tag or commit {ref}")
        if sum(map(len, self.commits[sha].values())) > self.most:
            raise SourceError(f"the source of {url} is larger than {self.most // 2**20} MiB")
        shutil.rmtree(into, ignore_errors=True)
        written(self.commits[sha], into)
        return Checkout(into, sha)

    def newest(self, url: str, branch: str, watch: Watch) -> str | None:
        """Returns the newest commit of a branch, None without such a branch; raises SourceError without such a
        repository.
        """
        if url not in self.refs:
            raise SourceError(f"git could not read {url}: it is not there")
        return self.refs[url].get(branch)

    def difference(self, url: str, before: str, after: str, watch: Watch) -> Difference:
        """Compares the files of two commits; returns the paths that differ."""
        if before not in self.commits:
            return Difference(None, f"{url} has no branch, tag or commit {before}")
        old, new = self.commits[before], self.commits[after]
        return Difference(tuple(sorted(path for path in {*old, *new} if old.get(path) != new.get(path))))
