"""Which files of a directory are no source of the app: what its .dockerignore and its .gitignore files leave out.

`.dockerignore` as the builder reads it (docs.docker.com/build/concepts/context: patterns from the root, the last one
that matches wins); `.gitignore` as git does, in every directory, and in those above up to the repository's own,
unless these leave out all of the directory itself: somebody wants it deployed.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from norn_cli.errors import CliError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

LEFT_OUT = ".git"
_DOCKERIGNORE, _GITIGNORE = ".dockerignore", ".gitignore"


class Ignored:
    """Says what of the tree at `root` is left out; `always`: relative paths that never are."""

    def __init__(self, root: Path, always: Iterable[str]) -> None:
        self._root = root.resolve()
        self._always = {_DOCKERIGNORE, *always}
        lines = _as_git_writes_it(_lines(self._root / _DOCKERIGNORE))
        self._docker = _spec(self._root / _DOCKERIGNORE, lines)
        self._reincludes = any(line.startswith("!") for line in lines)
        self._git: dict[Path, GitIgnoreSpec | None] = {}
        self._above = _repository(self._root)
        if self._above != self._root and self._by_git("", directory=True):
            self._above = self._root  # a directory that the repository ignores as a whole is not of it

    def leaves_out(self, path: str, *, directory: bool) -> bool:
        """True when the entry at a relative path is left out by itself."""
        if path in self._always:
            return False
        if PurePosixPath(path).name == LEFT_OUT:
            return True
        return (self._docker is not None and self._docker.match_file(path)) or self._by_git(path, directory)

    def may_hold(self, path: str) -> bool:
        """True when something below a directory that is left out may be kept all the same.

        A file that always is, or what a `!` line of .dockerignore brings back; git brings back nothing.
        """
        if any(keep.startswith(f"{path}/") for keep in self._always):
            return True
        ignored_by_git = PurePosixPath(path).name == LEFT_OUT or self._by_git(path, directory=True)
        return self._reincludes and not ignored_by_git

    def _by_git(self, path: str, directory: bool) -> bool:
        """The .gitignore nearest to the entry that says anything about it decides."""
        whole = self._root / path
        for place in whole.parents:
            spec = self._git_spec(place)
            if spec is not None:
                told = spec.check_file(whole.relative_to(place).as_posix() + ("/" if directory else "")).include
                if told is not None:
                    return bool(told)
            if place == self._above:
                return False
        return False

    def _git_spec(self, place: Path) -> GitIgnoreSpec | None:
        if place not in self._git:
            self._git[place] = _spec(place / _GITIGNORE, _lines(place / _GITIGNORE))
        return self._git[place]


def _repository(root: Path) -> Path:
    """Answers the directory up to which .gitignore files count: the repository's around it, else the root itself."""
    return next((place for place in (root, *root.parents) if (place / LEFT_OUT).exists()), root)


def _spec(file: Path, lines: list[str]) -> GitIgnoreSpec | None:
    if not lines:
        return None
    from pathspec import GitIgnoreSpec

    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError as error:
        raise CliError(f"{file} has a pattern that cannot be read: {error}") from error


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text("utf-8", "replace").splitlines() if file.is_file() else []
    except OSError as error:
        raise CliError(f"{file} cannot be read: {error.strerror}") from error


def _as_git_writes_it(lines: list[str]) -> list[str]:
    """Answers the lines of a .dockerignore as a .gitignore would have them: each from the root."""
    return [written for line in lines if (written := _anchored(line))]


def _anchored(line: str) -> str:
    bare = line.strip()
    if not bare or line.startswith("#"):
        return ""
    again = bare.startswith("!")
    path = PurePosixPath("/", bare[again:].strip().lstrip("/")).as_posix()
    return "" if path == "/" else f"{'!' if again else ''}{path}"
