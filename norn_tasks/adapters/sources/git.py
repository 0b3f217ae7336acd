"""Fetches one commit from a foreign git repository, within limits, and executes nothing that the repository
contains.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from norn_tasks import trees
from norn_tasks.adapters.processes.process import Completed
from norn_tasks.adapters.processes.redaction import without_credentials
from norn_tasks.adapters.sources import askpass, git_messages
from norn_tasks.adapters.sources.git_address import resolved_address
from norn_tasks.adapters.sources.hardened_git import HardenedGit
from norn_tasks.domain import names
from norn_tasks.domain.errors import InvalidRequest, SourceError, TimedOut
from norn_tasks.domain.sources.source_tree import DEEPEST, MOST_FILES
from norn_tasks.ports import Checkout, Difference, GitLogins, Say, Watch

_HISTORY = 16
"""A fetch may be this many times larger than the largest source, because some servers send the complete history."""

_EVERYTHING = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")

_SHA = re.compile(names.FULL_SHA)
_MAYBE_SHA = re.compile(r"[0-9a-f]{7,40}")


class GitCommand:
    """Implements `ports.Git` with the git program. A checkout is limited by `timeout` seconds and `most` bytes."""

    def __init__(
        self, *, allow_private: bool, timeout: float, most: int, ca: Path | None = None, logins: GitLogins | None = None
    ) -> None:
        self._allow_private = allow_private
        self._trust = () if ca is None else (f"http.sslCAInfo={ca}",)
        self._logins = logins
        self._timeout = timeout
        self._most = most

    def checkout(self, url: str, ref: str, into: Path, watch: Watch) -> Checkout:
        """Checks out the commit that `ref` names into the directory `into`, without .git."""
        try:
            names.ref(ref)
        except InvalidRequest as error:
            raise SourceError(error.sentence, hint=error.hint) from error
        trees.remove(into)
        with self._fetch(url, watch, into.parent) as fetch:
            into.mkdir()
            return fetch.checkout(ref, into)

    def newest(self, url: str, branch: str, watch: Watch) -> str | None:
        """Returns the commit that a branch points to now, without fetching anything; None if the branch does
        not exist.
        """
        with self._fetch(url, watch) as fetch:
            return fetch.newest(branch)

    def difference(self, url: str, before: str, after: str, watch: Watch) -> Difference:
        """Fetches two commits without their history, and compares their files."""
        with self._fetch(url, watch) as fetch:
            return fetch.difference(before, after)

    @contextmanager
    def _fetch(self, url: str, watch: Watch, beside: Path | None = None) -> Iterator[_Fetch]:
        """Creates a temporary repository for the block; raises SourceError if git may not connect to the address."""
        way = resolved_address(url, allow_private=self._allow_private, stop=watch.stop)
        if beside is not None:
            beside.mkdir(parents=True, exist_ok=True)
        try:
            with tempfile.TemporaryDirectory(dir=beside, prefix="git-") as scratch:
                login = self._logins.of(url) if self._logins is not None and url.startswith("https://") else None
                # Redirects are refused, because a redirect would send the token to another host.
                more = self._trust if login is None else (*self._trust, "http.followRedirects=false")
                asking = {} if login is None else askpass.environment(Path(scratch), login)
                home = Path(scratch) / "repository"
                git = HardenedGit(home, watch, (*way.config, *more), way.ssh, asking)
                yield _Fetch(git, url, self._most, time.monotonic() + self._timeout)
        except TimedOut as error:
            raise TimedOut(
                f"fetching {without_credentials(url)} took longer than {self._timeout:g} s",
                hint="make the repository smaller, or raise NORN_CLONE_TIMEOUT",
            ) from error


class _Fetch:
    """One fetch, in a repository of its own that is deleted afterwards."""

    def __init__(self, git: HardenedGit, url: str, most: int, until: float) -> None:
        self._git = git
        self._url = url
        self._shown = without_credentials(url)
        self._most = most
        self._until = until

    def checkout(self, ref: str, into: Path) -> Checkout:
        """Fetches the commit, checks its size before and after writing its files, and returns it."""
        self._git.make(self._left())
        sha = self._commit(ref)
        self._weigh_tree(sha)
        done = self._call(["checkout", "--quiet", "--force", "--detach", sha], work_tree=into)
        if done.code != 0:
            raise self._failed(done)
        self._weigh_files(into)
        self._report_what_is_left_out(into)
        return Checkout(into, sha)

    def newest(self, branch: str) -> str | None:
        """Returns the commit to which a branch points on the server; None if the branch does not exist."""
        self._git.make(self._left())
        heard: list[str] = []
        wanted = f"refs/heads/{branch}"
        listed = self._call(["ls-remote", "--", self._url, wanted], hear=heard.append)
        if listed.code != 0:
            raise self._failed(listed)
        named = (line.partition("\t") for line in heard)
        return next((sha for sha, _, name in named if name == wanted and _SHA.fullmatch(sha)), None)

    def difference(self, before: str, after: str) -> Difference:
        """Compares the files of two commits. If the first one exceeds the limits of a checkout, returns a Difference
        without files; if the second one does, raises SourceError.
        """
        self._git.make(self._left())
        self._weigh_tree(self._commit(after))
        try:
            self._weigh_tree(self._commit(before))
        except SourceError as error:
            return Difference(None, error.sentence)
        heard: list[str] = []
        words = ["diff-tree", "-r", "--name-only", "--no-renames", "--no-ext-diff", before, after]
        done = self._git.call(["-c", "core.quotePath=false", *words], self._left(), hear=heard.append)
        if done.code != 0:
            raise self._failed(done)
        return Difference(tuple(map(_unquoted, heard)))

    def _commit(self, ref: str) -> str:
        """Fetches the ref, and returns its commit."""
        if _SHA.fullmatch(ref):
            fetched = self._fetch(ref)
        else:
            found = self._advertised(ref)
            if found is None and not _MAYBE_SHA.fullmatch(ref):
                raise self._unknown(ref)
            fetched = found is not None and self._fetch(found)
        if fetched:
            return self._resolved("FETCH_HEAD") or self._must(ref, None)
        # The server does not send single commits, or the commit's name is shortened: then all branches and tags are
        # fetched.
        everything = self._call(["fetch", "--quiet", "--no-tags", "--", self._url, *_EVERYTHING])
        if everything.code != 0:
            raise self._failed(everything)
        return self._must(ref, self._first_resolved(ref))

    def _advertised(self, ref: str) -> str | None:
        """Returns the full name of the branch with this name, or otherwise of the tag; None if neither exists."""
        wanted = [f"refs/heads/{ref}", f"refs/tags/{ref}"]
        heard: list[str] = []
        listed = self._call(["ls-remote", "--", self._url, *wanted], hear=heard.append)
        if listed.code != 0:
            raise self._failed(listed)
        there = {line.partition("\t")[2] for line in heard}
        return next((name for name in wanted if name in there), None)

    def _fetch(self, name: str) -> bool:
        return self._call(["fetch", "--quiet", "--no-tags", "--depth=1", "--", self._url, name]).code == 0

    def _first_resolved(self, ref: str) -> str | None:
        candidates = (f"refs/remotes/origin/{ref}", f"refs/tags/{ref}", ref)
        return next((sha for sha in map(self._resolved, candidates) if sha is not None), None)

    def _resolved(self, name: str) -> str | None:
        heard: list[str] = []
        asked = self._call(["rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"], hear=heard.append)
        return heard[0] if asked.code == 0 and heard else None

    def _must(self, ref: str, sha: str | None) -> str:
        if sha is None:
            raise self._unknown(ref)
        return sha

    def _weigh_tree(self, sha: str) -> None:
        """Raises SourceError if the files of the commit exceed the limits, before any file is written."""
        size = files = 0

        def weigh(line: str) -> None:
            nonlocal size, files
            about, _, path = line.partition("\t")
            listed = about.split()[-1]
            files += 1
            size += int(listed) if listed.isdigit() else 0
            if path.count("/") >= DEEPEST:
                raise self._too_deep()
            if size > self._most or files > MOST_FILES:
                raise self._too_large()

        listed = self._call(["ls-tree", "-r", "-l", "--full-tree", sha], hear=weigh)
        if listed.code != 0:
            raise self._failed(listed)

    def _weigh_files(self, into: Path) -> None:
        """Raises SourceError if attributes of the repository, such as `ident`, made the written files larger than the
        limit.
        """
        if sum(_size(Path(here) / name) for here, _, names in os.walk(into) for name in names) > self._most:
            raise self._too_large()

    def _weigh_packs(self) -> None:
        packs = self._git.git_dir / "objects" / "pack"
        if sum(map(_size, packs.glob("*"))) > _HISTORY * self._most:
            raise self._too_large()

    def _report_what_is_left_out(self, into: Path) -> None:
        if (into / ".gitmodules").is_file():
            self._git.watch.say("the repository has submodules, which are not fetched\n")
        attributes = into / ".gitattributes"
        if attributes.is_file() and not attributes.is_symlink() and b"filter=lfs" in attributes.read_bytes():
            self._git.watch.say("the repository keeps files in LFS, which are not fetched: their pointers are here\n")

    def _call(self, words: Sequence[str], *, hear: Say | None = None, work_tree: Path | None = None) -> Completed:
        return self._git.call(words, self._left(), hear=hear, work_tree=work_tree, check=self._weigh_packs)

    def _left(self) -> float:
        return max(0.0, self._until - time.monotonic())

    def _unknown(self, ref: str) -> SourceError:
        return SourceError(
            f"{self._shown} has no branch, tag or commit {ref}", hint="push it first, or name another one"
        )

    def _too_large(self) -> SourceError:
        return SourceError(
            f"the source of {self._shown} is larger than {self._most // 2**20} MiB or {MOST_FILES} files",
            hint="keep large files elsewhere, or raise NORN_SOURCE_MAX",
        )

    def _too_deep(self) -> SourceError:
        return SourceError(
            f"the source of {self._shown} has files more than {DEEPEST} directories deep",
            hint="move them up, or leave them out of the repository",
        )

    def _failed(self, done: Completed) -> SourceError:
        said, hint = git_messages.explained(done.last_lines, done.code)
        return SourceError(f"git could not read {self._shown}: {said}", hint=hint)


def _unquoted(path: str) -> str:
    """Returns a path without the C-style quoting that git uses for paths with control characters or quotes."""
    if not path.startswith('"'):
        return path
    return path[1:-1].encode("latin-1", "backslashreplace").decode("unicode_escape")


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        # Git renames a pack when it is complete; the next check finds the pack under its new name.
        return 0
