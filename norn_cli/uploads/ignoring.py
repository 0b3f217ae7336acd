"""The files of a directory that are not part of the app's source: its .dockerignore and .gitignore leave them out.

A `.dockerignore` is read as the builder reads it (docs.docker.com/build/concepts/context): patterns start at the root,
and the last one that matches wins. `.gitignore` files are read as git reads them: those in the directory and below it,
and those above it, up to the repository's root. If the files above ignore the whole directory, they are not applied,
because the user asked to deploy it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from norn_cli.errors import CliError
from norn_cli.uploads.globs import compiled

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

LEFT_OUT = ".git"
_DOCKERIGNORE, _GITIGNORE = ".dockerignore", ".gitignore"


class Ignored:
    """The rules of the tree at `root`; `always`: relative paths that are never left out."""

    def __init__(self, root: Path, always: Iterable[str]) -> None:
        self._root = root.resolve()
        self._always = {_DOCKERIGNORE, *always}
        lines = _as_git_writes_it(_lines(self._root / _DOCKERIGNORE))
        self._docker = _spec(self._root / _DOCKERIGNORE, lines)
        self._reincludes = any(line.startswith("!") for line in lines)
        self._git: dict[Path, GitIgnoreSpec | None] = {}
        self._above = _repository(self._root)
        if self._above != self._root and self._by_git("", directory=True):
            self._above = self._root  # the repository ignores this whole directory: the rules above it do not apply

    def leaves_out(self, path: str, *, directory: bool) -> bool:
        """Returns True if the rules leave out the entry at a relative path."""
        if path in self._always:
            return False
        if PurePosixPath(path).name == LEFT_OUT:
            return True
        return (self._docker is not None and self._docker.match_file(path)) or self._by_git(path, directory)

    def may_hold(self, path: str) -> bool:
        """Returns True if something below a directory that is left out may still be kept.

        Only two kinds of files are kept there: those in `always`, and those that a `!` line of .dockerignore includes
        again. A .gitignore never includes a file again if its directory is ignored.
        """
        if any(keep.startswith(f"{path}/") for keep in self._always):
            return True
        ignored_by_git = PurePosixPath(path).name == LEFT_OUT or self._by_git(path, directory=True)
        return self._reincludes and not ignored_by_git

    def _by_git(self, path: str, directory: bool) -> bool:
        """Returns True if the nearest .gitignore with a rule for the entry leaves the entry out; False if no .gitignore
        has one.
        """
        whole = self._root / path
        for place in whole.parents:
            spec = self._git_spec(place)
            if spec is not None:
                included = spec.check_file(whole.relative_to(place).as_posix() + ("/" if directory else "")).include
                if included is not None:
                    return bool(included)
            if place == self._above:
                return False
        return False

    def _git_spec(self, place: Path) -> GitIgnoreSpec | None:
        if place not in self._git:
            self._git[place] = _spec(place / _GITIGNORE, _lines(place / _GITIGNORE))
        return self._git[place]


def _repository(root: Path) -> Path:
    """Returns the topmost directory whose .gitignore applies: the repository's root, else the root itself."""
    return next((place for place in (root, *root.parents) if (place / LEFT_OUT).exists()), root)


def _spec(file: Path, lines: list[str]) -> GitIgnoreSpec | None:
    if not lines:
        return None
    from pathspec import GitIgnoreSpec

    try:
        return GitIgnoreSpec.from_lines(lines, compiled, backend="simple")
    except ValueError as error:
        raise CliError(f"{file} has a pattern that cannot be read: {error}") from error


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text("utf-8", "replace").splitlines() if file.is_file() else []
    except OSError as error:
        raise CliError(f"{file} cannot be read: {error.strerror}") from error


def _as_git_writes_it(lines: list[str]) -> list[str]:
    """Returns the lines of a .dockerignore in the syntax of a .gitignore: each anchored at the root."""
    return [written for line in lines if (written := _anchored(line))]


def _anchored(line: str) -> str:
    bare = line.strip()
    if not bare or line.startswith("#"):
        return ""
    again = bare.startswith("!")
    path = PurePosixPath("/", bare[again:].strip().lstrip("/")).as_posix()
    return "" if path == "/" else f"{'!' if again else ''}{path}"
