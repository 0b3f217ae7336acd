r"""Finds the instructions of a Dockerfile: every instruction that some builder would find, and perhaps more.

Builders disagree about the "\\" that joins two lines, about here-documents, and about flags (`--from=x`, and in the
newest builders also `--from x`). So every line that begins like an instruction is read as an instruction, together with
all lines that may continue it. Flags are read in both ways. The rules come from moby/buildkit,
frontend/dockerfile/parser (parser.go, split_command.go).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from norn_tasks.adapters.dockerfile.text import BLANKS, escape_of
from norn_tasks.domain.errors import SourceError

BLANK = r"[\t\v\f\r ]"
"""The characters between two parts of a line."""

_PARTING = re.compile(f"{BLANK}+")
_WORDS = ("FROM", "COPY", "ADD", "RUN", "ONBUILD", "ARG")
_BEGINNING = re.compile(r"([A-Za-zİ]*)(.*)", re.DOTALL)
_FLAG = re.compile(
    r"""(?: \\(?:.|\Z) | '(?:\\.|[^'\\])*(?:'|\\?\Z) | "(?:\\.|[^"\\])*(?:"|\\?\Z) | [^\s\x85\xa0'"\\] )+""",
    re.DOTALL | re.VERBOSE | re.ASCII,
)
_NO_FLAG = re.compile(r"[\s\x85\xa0]*", re.ASCII)
_QUOTES = re.compile(r"[\"'\\]")
_TIMES = 16
"""How many times the length of the text may be read in total. Without this limit, many lines that continue each other
could take forever.
"""


@dataclass(frozen=True)
class Instruction:
    """One instruction: its keyword, its flags without quotes and backslashes, and its arguments.

    `sure`: every builder reads this text as a separate instruction. `end`: the number of its last line, from 1.
    """

    word: str
    flags: tuple[str, ...]
    rest: str
    sure: bool
    end: int


def instructions(text: str, name: str) -> Iterator[Instruction]:
    """Yields the instructions FROM, COPY, ADD, RUN and ARG in order, including instructions after ONBUILD; raises
    SourceError if too many lines continue each other.
    """
    escape = escape_of(text)
    lines = text.split("\n")
    left, goes_on = _TIMES * len(text) + 64 * 1024, False
    for at, line in enumerate(lines):
        bare = line.strip(BLANKS)
        if not bare or bare.startswith("#"):
            continue
        if _begins(bare, escape):
            joined, end = _joined(lines, at, escape)
            left -= len(joined)
            if left < 0:
                raise SourceError(f"{name} would take too long to read", hint="continue fewer lines with a backslash")
            yield from _read(joined, sure=not goes_on, end=end)
        goes_on = _going_on(line, escape) is not None


def _begins(line: str, escape: str) -> bool:
    """Returns True if a line begins with the name of an instruction, or with part of a name that the next line may
    complete.
    """
    word, more = _BEGINNING.fullmatch(line).groups()  # type: ignore[union-attr]
    word = _upper(word)
    if more.startswith(escape):
        return bool(word) and any(each.startswith(word) for each in _WORDS)
    return word in _WORDS and (not more or more[0] in BLANKS)


def _upper(word: str) -> str:
    # The builders also read "İ" as a capital "i".
    return word.replace("İ", "I").upper()


def _joined(lines: Sequence[str], at: int, escape: str) -> tuple[str, int]:
    """Returns a line with all lines that may continue it, without comments and empty lines, as the builders do.

    Also returns the number of the last line, counted from 1.
    """
    parts: list[str] = []
    end = at
    for end in range(at, len(lines)):
        line = lines[end]
        bare = line.strip(BLANKS)
        if parts and (not bare or bare.startswith("#")):
            continue
        going_on = _going_on(line, escape)
        parts.append(line if going_on is None else going_on)
        if going_on is None:
            break
    return "".join(parts), end + 1


def _going_on(line: str, escape: str) -> str | None:
    """Returns a line without the mark that joins it to the next line; None if it has no such mark."""
    bare = line.rstrip("\r").rstrip(" \t")
    return bare.removesuffix(escape) if bare.endswith(escape) else None


def _read(line: str, *, sure: bool, end: int) -> Iterator[Instruction]:
    """Yields the instructions that a complete line may be: one for each way to read the line."""
    word, *more = _PARTING.split(line.strip(BLANKS), maxsplit=1)
    word = _upper(word)
    if word not in _WORDS:
        return
    # The builders look for flags byte by byte.
    args = "".join(more).encode("utf-8", "surrogatepass").decode("latin-1")
    readings = {_flags(args, taking=taking): None for taking in ((False, True) if "--" in args else (False,))}
    for flags, rest in readings:
        after = rest.encode("latin-1").decode("utf-8", "replace").strip(BLANKS)
        if word == "ONBUILD":
            yield from _read(after, sure=False, end=end)
        else:
            yield Instruction(word, flags, after, sure, end)


def _flags(args: str, *, taking: bool) -> tuple[tuple[str, ...], str]:
    """Returns the flags, and the text after them; `taking`: a flag without "=" takes the next word as its value."""
    flags: list[str] = []
    at, wanting = 0, False
    while True:
        at = _NO_FLAG.match(args, at).end()  # type: ignore[union-attr]
        found = _FLAG.match(args, at)
        if found is None or not (wanting or args.startswith("--", at)):
            return tuple(flags), args[at:]
        at, word = found.end(), _QUOTES.sub("", found[0])
        if wanting:
            flags[-1] += f"={word}"
            wanting = False
        elif word == "--":
            return tuple(flags), args[at:]
        else:
            flags.append(word)
            wanting = taking and "=" not in word
