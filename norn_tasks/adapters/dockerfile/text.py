"""The text of a Dockerfile, and the text that the builder gets: some lines of Norn's, followed by the Dockerfile.

The first lines of a Dockerfile may name a frontend, a program that BuildKit downloads and lets do the build. After
Norn's lines, BuildKit no longer looks for a frontend (moby/buildkit, frontend/dockerfile/parser/directives.go). Norn
refuses a file that names a frontend other than Docker's own, because the file's author would be surprised if the
frontend was ignored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from norn_tasks.domain.errors import SourceError

LARGEST = 256 * 1024
"""The maximum size of a Dockerfile in bytes."""

BLANKS = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
"""The characters that the builders treat as blanks (Go's unicode.IsSpace). Python's strip() removes more characters."""

_DIRECTIVE = re.compile(r"([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=[\t\n\f\r ]*(.+?)[\t\n\f\r ]*")
_DIRECTIVES = ("syntax", "escape", "check")
_DOCKERS_OWN = re.compile(r"(docker\.io/)?docker/dockerfile(-upstream)?([:@].*)?")


@dataclass(frozen=True)
class Recipe:
    """The text that the builder gets.

    `head`: how many lines Norn has put before the file's first line. `added`: the numbers (from 1, in `text`) of the
    lines that Norn has put between the file's lines.
    """

    text: str
    head: int
    added: tuple[int, ...] = ()


def read(context: Path, name: str) -> str:
    """Returns the text of the Dockerfile `name` of a context.

    Raises SourceError if the file is missing, is larger than LARGEST, leads out of the context (as a path or by links),
    or is not text.
    """
    root = context.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        raise SourceError(f"{name} points outside the source", hint="keep the Dockerfile in the source directory")
    if not path.is_file():
        raise SourceError(f"there is no {name} in the source", hint="add it, or name the right one in build.dockerfile")
    if path.stat().st_size > LARGEST:
        raise SourceError(f"{name} is larger than {LARGEST // 1024} KiB", hint="a Dockerfile is a short text")
    try:
        return path.read_text("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise SourceError(f"{name} is not UTF-8 text", hint="save it as UTF-8") from error


def recipe(text: str, name: str) -> Recipe:
    """Returns the text for the builder; raises SourceError if the file asks for a frontend other than Docker's own, or
    sets an invalid escape character.
    """
    wanted = _frontend(text)
    if wanted is not None and not _DOCKERS_OWN.fullmatch(wanted):
        raise SourceError(
            f"{name} asks for the frontend {wanted[:80]}, and Norn builds with docker's own only",
            hint="remove its `syntax` line",
        )
    escape, check = escape_of(text), dict(_directives(text)).get("check")
    if escape not in ("\\", "`"):
        raise SourceError(f"{name} has an invalid `escape` character: {escape[:80]}", hint="write \\ or `")
    # The last of Norn's lines is not a directive, so builders stop looking for directives. With Norn's lines the text
    # is also not JSON, in which BuildKit would look for a frontend too.
    head = [f"# escape={escape}", *([f"# check={check}"] if check is not None else []), "#"]
    return Recipe("\n".join([*head, text]), len(head))


def escape_of(text: str) -> str:
    """Returns the character that joins lines (the escape character), which a directive may change."""
    return dict(_directives(text)).get("escape", "\\")


def _directives(text: str, mark: str = "#") -> Iterator[tuple[str, str]]:
    """Yields the directives at the beginning of a text, each as name and value."""
    for line in text.split("\n"):
        line = line.lstrip(BLANKS)
        found = _DIRECTIVE.fullmatch(line.removeprefix(mark).lstrip(BLANKS)) if line.startswith(mark) else None
        if found is None or found[1].lower() not in _DIRECTIVES:
            return
        yield found[1].lower(), found[2]


def _frontend(text: str) -> str | None:
    """Returns the frontend that BuildKit would find: in `# syntax=`, in `// syntax=` or in JSON, also after a line
    "#!"; None if it would find none.
    """
    text = re.sub(r"\A#![^\n]*(\n|\Z)", "", text)
    for mark in ("#", "//"):
        for word, value in _directives(text, mark):
            if word == "syntax":
                return value
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    wanted = document.get("syntax") if isinstance(document, dict) else None
    return wanted if isinstance(wanted, str) else None
