"""What a build takes from outside: images, as bases or to copy from, and what `ADD` fetches by its address."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from norn_tasks.adapters.dockerfile.instructions import BLANK, Instruction, instructions
from norn_tasks.adapters.dockerfile.text import escape_of
from norn_tasks.adapters.dockerfile.variables import UNREADABLE, Arguments
from norn_tasks.domain.addresses import inward
from norn_tasks.domain.errors import SourceError

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._/:@-]")
_FROM_FLAG = re.compile(r"(?i)(?:^--from=|[,=]\s*from=)([^,]+)")
_STAGE = re.compile(rf"(?i){BLANK}as{BLANK}+([a-z][a-z0-9_.-]*)$")
_INDEX = re.compile(r"[0-9]{1,4}")
_SCP_LIKE = re.compile(r"[\w.-]+@([^:/]+):.*", re.DOTALL)


def outside_images(text: str, name: str, platform: Mapping[str, str]) -> frozenset[str]:
    """Answers the images that a build of the text takes from outside.

    `platform` has the builder's own variables (TARGETARCH, …). Raises SourceError for a name that cannot be read.
    """
    read = list(instructions(text, name))
    # Builders differ: the classic one has no variables of its own, and `ARG X` empties X, or leaves it as it was.
    known = {**dict.fromkeys(("TARGETSTAGE", "TARGETOSVERSION", "BUILDOSVERSION"), UNREADABLE), **platform}
    ways = [Arguments(name, escape_of(text), given, bare) for given in (known, {}) for bare in ("", None)]
    return frozenset(image for way in ways for image in _outside(read, way))


def require_public(text: str, name: str) -> None:
    """Raises SourceError for an `ADD` from an address that is not public: the engine would fetch it, as the host.

    Names are not resolved, nor variables filled.
    """
    for each in instructions(text, name):
        for host in map(_host, _added(each, escape_of(text))):
            if host is not None and inward(host):
                raise SourceError(
                    f"{name} adds from {host[:80]}, which is not an address of the public internet",
                    hint="keep it in the source, or fetch it by RUN, from the build's own network",
                )


def _outside(read: list[Instruction], variables: Arguments) -> frozenset[str]:
    stages: set[str] = set()
    outside: set[str] = set()
    for each in read:
        variables.take(each)
        for wanted in _wanted(each):
            # Variables are for FROM alone: elsewhere they stay, and cannot be read.
            filled = variables.filled(wanted) if each.word == "FROM" else wanted
            reference = _readable(filled, variables.name)
            known = reference.lower() in stages or (each.word != "FROM" and _INDEX.fullmatch(reference))
            if reference not in ("", ".", "scratch") and not known:
                outside.add(reference)
        if each.word == "FROM" and each.sure:
            stages |= {stage.lower() for stage in _STAGE.findall(each.rest)}
    return frozenset(outside)


def _wanted(each: Instruction) -> list[str]:
    if each.word == "FROM":
        return re.split(f"{BLANK}+", each.rest)[:1]
    return [found for flag in each.flags for found in _FROM_FLAG.findall(flag)]


def _readable(wanted: str, name: str) -> str:
    """Answers the name as the builder would read it: it drops quotes and backslashes; other characters it refuses."""
    if "$" in wanted:
        raise SourceError(f"{name} names an image that Norn cannot read: {wanted[:80]}", hint="write the image's name")
    return _NOT_IN_A_NAME.sub("", wanted)


def _added(each: Instruction, escape: str) -> Iterator[str]:
    """Yields what an `ADD` takes, and where it puts it: as words, or as JSON; without quotes."""
    if each.word != "ADD":
        return
    try:
        words = json.loads(each.rest)
    except (ValueError, RecursionError):
        words = None
    if not isinstance(words, list):
        words = re.split(f"{BLANK}+", each.rest)
    yield from (re.sub(rf"[\"'{re.escape(escape)}]", "", str(word)) for word in words)


def _host(source: str) -> str | None:
    """Answers the host of an address; None for a path, and for what no builder could reach."""
    scp_like = _SCP_LIKE.fullmatch(source)
    if scp_like is not None:
        return scp_like[1]
    try:
        return urlsplit(source).hostname if "://" in source else None
    except ValueError:
        return None
