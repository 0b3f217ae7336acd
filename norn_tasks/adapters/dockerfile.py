"""Reads a Dockerfile before it is built: it is an attacker's text (security.md 4).

Answers which images a build would take from outside, and a text without a frontend of its own: `# syntax=` would make
BuildKit fetch a program and hand it the build. Rules: docs.docker.com/reference/dockerfile, and what the builders do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from norn_tasks.domain.errors import SourceError

LARGEST = 1024 * 1024
"""Bytes a Dockerfile may have."""

_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*")
_OTHER_SYNTAX = re.compile(r"\s*(//\s*syntax\s*=|\{)", re.IGNORECASE)
_DOCKERS_OWN = re.compile(r"(docker\.io/)?docker/dockerfile(-upstream)?([:@].*)?")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?:(:?[-+])([^}$]*))?\})")
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._/:@-]")
_FROM_FLAG = re.compile(r"(?i)(?:^--from=|[\"',=]from=)([^,\s\"']+)")
_BEGINS = re.compile(r"(?i)(FROM|COPY|ADD|RUN|ONBUILD)\s")


def read(context: Path, name: str) -> str:
    """Answers the text of the Dockerfile `name` of a context.

    Raises SourceError when it is not there, leads out of the context (as a path or by links), or is no text.
    """
    root = context.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        raise SourceError(f"{name} leads out of the source", hint="keep the Dockerfile in the source directory")
    if not path.is_file():
        raise SourceError(f"there is no {name} in the source", hint="add it, or name the right one in build.dockerfile")
    if path.stat().st_size > LARGEST:
        raise SourceError(f"{name} is larger than {LARGEST // 1024} KiB", hint="a Dockerfile is a short text")
    try:
        return path.read_text("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise SourceError(f"{name} is not UTF-8 text", hint="save it as UTF-8") from error


def without_frontend(text: str, name: str) -> str:
    """Answers the text without its `# syntax=` line; raises SourceError when that names any frontend but docker's."""
    lines = re.split(r"(?<=\n)", text)
    kept: list[str] = []
    for at, line in enumerate(lines):
        if at == 0 and line.startswith("#!"):
            continue
        directive = _DIRECTIVE.fullmatch(line.strip())
        if _OTHER_SYNTAX.match(line):
            raise _foreign_frontend(name, line.strip())
        if directive is None:
            return "".join(kept + lines[at:])
        if directive[1].lower() != "syntax":
            kept.append(line)
        elif not _DOCKERS_OWN.fullmatch(directive[2]):
            raise _foreign_frontend(name, directive[2])
    return "".join(kept)


def outside_images(text: str, name: str, platform: Mapping[str, str]) -> frozenset[str]:
    """Answers the images that a build of the text takes from outside: as bases, or to copy from.

    `platform` has the builder's own variables (TARGETARCH, …). Raises SourceError for a name that cannot be read.
    """
    variables = dict(platform)
    stages: set[str] = set()
    outside: set[str] = set()
    seen_from = False
    for word, rest in _instructions(text):
        if word == "ARG" and not seen_from:
            variables |= _arguments(rest, variables)
        for wanted in _wanted(word, rest):
            # Variables are for FROM alone, and only those before the first one: the others stay, and cannot be read.
            reference = _readable(_filled(wanted, variables) if word == "FROM" else wanted, name)
            known = reference.lower() in stages or (reference.isdigit() and word != "FROM")
            if reference not in ("", ".", "scratch") and not known:
                outside.add(reference)
        if word == "FROM":
            seen_from = True
            stages |= {stage.lower() for stage in re.findall(r"(?i)\sas\s+(\S+)\s*$", rest)}
    return frozenset(outside)


def _foreign_frontend(name: str, wanted: str) -> SourceError:
    return SourceError(
        f"{name} asks for the frontend {wanted[:80]}, and Norn builds with docker's own only",
        hint="remove its `syntax` line",
    )


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    """Yields (instruction, its arguments): of the lines as the builder joins them, and of any line that begins one.

    The second half may see more than the builder does (inside of a here-document), never less.
    """
    escape = re.escape(_escape(text))
    joined = ""
    # Only "\n" ends a line here, as for the builder: what Python calls line ends as well are blanks to it.
    for line in text.split("\n"):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        if joined and _BEGINS.match(bare):
            yield _split(re.sub(rf"{escape}$", "", bare))
        going_on = re.fullmatch(rf"(.*){escape}\s*", line, re.DOTALL)
        joined += going_on[1] if going_on else line
        if not going_on:
            yield _split(joined)
            joined = ""
    if joined:
        yield _split(joined)


def _escape(text: str) -> str:
    """Answers the character that joins lines: a directive may change it, in the first lines only."""
    for line in text.split("\n"):
        directive = _DIRECTIVE.fullmatch(line.strip())
        if directive is None:
            break
        if directive[1].lower() == "escape":
            return directive[2]
    return "\\"


def _split(line: str) -> tuple[str, str]:
    word, _, rest = re.sub(r"\s+", " ", line.strip()).partition(" ")
    return (word.upper(), rest) if word.upper() != "ONBUILD" else _split(rest)


def _wanted(word: str, rest: str) -> list[str]:
    if word == "FROM":
        return [part for part in rest.split() if not part.startswith("--")][:1]
    if word in ("COPY", "ADD", "RUN"):
        flags = [part for part in rest.split() if part.startswith("--")]
        return [found for flag in flags for found in _FROM_FLAG.findall(flag)]
    return []


def _arguments(rest: str, variables: Mapping[str, str]) -> dict[str, str]:
    pairs = re.findall(r"(\w+)(?:=(\"[^\"]*\"|'[^']*'|\S*))?", rest)
    return {key: _filled(value.strip("\"'"), variables) for key, value in pairs}


def _readable(wanted: str, name: str) -> str:
    """Answers the name as the builder would read it: it drops quotes and backslashes; other characters it refuses."""
    if "$" in wanted:
        raise SourceError(f"{name} names an image that Norn cannot read: {wanted[:80]}", hint="write the image's name")
    return _NOT_IN_A_NAME.sub("", wanted)


def _filled(text: str, variables: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        name, how, other = found[1] or found[2], found[3], found[4] or ""
        given = variables.get(name)
        there = given is not None and (given != "" or how in ("-", "+"))
        if how in ("+", ":+"):
            return other if there else ""
        if how in ("-", ":-"):
            return given or "" if there else other
        return given or ""

    return _VARIABLE.sub(value, text)
