"""Reads apps from directories on this machine: makes a private copy, and computes the revision from its content."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from norn_tasks import trees
from norn_tasks.adapters.sources.hardened_git import HardenedGit
from norn_tasks.adapters.sources.tree_copy import TreeCopy
from norn_tasks.domain.errors import SourceError, StepFailed
from norn_tasks.domain.names import FULL_SHA
from norn_tasks.domain.sources.source_tree import LEFT_OUT, MOST_FILES
from norn_tasks.ports import Checkout, Watch

_GIT_TIMEOUT = 60.0
_SHA = re.compile(FULL_SHA)
_BRANCH = re.compile(r"ref: (refs/heads/[^\s\0]+)")
_PACKED = re.compile(rf"^({FULL_SHA}) (\S+)$", re.MULTILINE)


class LocalDirectories:
    """Implements `ports.Directories`; `most` is the limit of a source in bytes."""

    def __init__(self, *, most: int) -> None:
        self._most = most

    def checkout(self, origin: Path, into: Path, watch: Watch) -> Checkout:
        """Copies the directory tree into `into`, and returns its revision.

        The revision is the git commit if the directory itself has a `.git` and the copy equals that commit. Otherwise
        it is `dir-` and the beginning of a hash of the copy. The repository of a parent directory is never used.
        """
        if not origin.is_dir():
            raise SourceError(
                f"this worker does not see the directory {origin}",
                hint=f"run the worker where it is, deploy by upload (norn deploy ./{origin.name}), or set repo.url",
            )
        trees.remove(into)
        into.mkdir(parents=True)
        content = TreeCopy(origin, into, self._most, MOST_FILES, watch).copy()
        head = _head(origin / LEFT_OUT)
        if head is not None and _is_commit(origin / LEFT_OUT, head, into, watch):
            return Checkout(into, head)
        return Checkout(into, f"dir-{content[:12]}")


def _head(repository: Path) -> str | None:
    """Returns the commit that is checked out, or None if it cannot be found. It reads files and does not call git,
    because git would read the repository's configuration too.
    """
    if repository.is_symlink() or not repository.is_dir():
        return None
    head = _text(repository / "HEAD").strip()
    branch = _BRANCH.fullmatch(head)
    if branch is not None and ".." not in branch[1]:
        packed = {name: sha for sha, name in _PACKED.findall(_text(repository / "packed-refs"))}
        head = _text(repository / branch[1]).strip() or packed.get(branch[1], "")
    return head if _SHA.fullmatch(head) else None


def _is_commit(repository: Path, head: str, copy: Path, watch: Watch) -> bool:
    """Returns True if the copy has exactly the files of the commit, apart from files that the commit ignores.

    The check runs in a separate repository of Norn's that borrows the objects of the foreign one. So the configuration
    and hooks of the foreign repository are never read.
    """
    untold: list[str] = []
    quiet = Watch(watch.fence, untold.append, watch.stop)
    with tempfile.TemporaryDirectory(dir=copy.parent, prefix="git-") as scratch:
        git = HardenedGit(Path(scratch), quiet)
        changed: list[str] = []
        try:
            git.make(_GIT_TIMEOUT)
            (git.git_dir / "objects" / "info" / "alternates").write_text(f"{repository.resolve() / 'objects'}\n")
            (git.git_dir / "HEAD").write_text(f"{head}\n")
            read = git.call(["read-tree", head], _GIT_TIMEOUT)
            status = git.call(["status", "--porcelain"], _GIT_TIMEOUT, work_tree=copy, hear=changed.append)
        except StepFailed:
            # If git is missing or takes too long, the revision is a hash of the content.
            return False
    return read.code == 0 and status.code == 0 and not changed


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
