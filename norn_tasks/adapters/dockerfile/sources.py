"""Finds what a build takes from outside: base images, images to copy from, and the addresses from which `ADD`
downloads.
"""

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
_SCHEMES = ("http://", "https://", "git://", "ssh://", "ftp://")
_UP_TO_THE_HOST = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#\\]+[/?#]|[\w.-]+@[^:/]+:")
"""An address that is complete at least up to its host, so that a variable that follows can only be in the path."""
_SCP_LIKE = re.compile(r"[\w.-]+@([^:/]+):.*", re.DOTALL)


def outside_images(text: str, name: str, platform: Mapping[str, str]) -> frozenset[str]:
    """Returns the images that a build of the text takes from outside: base images, and images to copy from.

    `platform` has the builder's own variables (TARGETARCH, …). Raises SourceError for an image name that cannot be
    read.
    """
    read = list(instructions(text, name))
    # Builders differ: the classic builder has no variables of its own, and `ARG X` either empties X or leaves it
    # unchanged. All four combinations are tried.
    known = {**dict.fromkeys(("TARGETSTAGE", "TARGETOSVERSION", "BUILDOSVERSION"), UNREADABLE), **platform}
    ways = [Arguments(name, escape_of(text), given, bare) for given in (known, {}) for bare in ("", None)]
    return frozenset(image for way in ways for image in _outside(read, way))


def require_public(text: str, name: str) -> None:
    """Raises SourceError for an `ADD` from an address that is not public, or whose host depends on a variable.

    The engine would download from that address through the host's network. Norn does not resolve host names or
    variables: an `ADD` is refused if a variable may become its scheme or its host.
    """
    for each in instructions(text, name):
        words = list(_added(each, escape_of(text)))
        for source in filter(_may_hide_a_host, words[:-1]):
            raise SourceError(
                f"{name} adds from {source[:80]}, where a variable may be the address of another server",
                hint="use COPY for a file of the source; for an address, write scheme and host without variables",
            )
        for host in map(_host, words):
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
            # Builders replace variables only in FROM. In other instructions, an image name that contains a variable is
            # refused.
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
    """Returns the image name as the builder reads it: without quotes, backslashes and other characters that no image
    name contains. Raises SourceError if a variable is left in it.
    """
    if "$" in wanted:
        raise SourceError(f"{name} names an image that Norn cannot read: {wanted[:80]}", hint="write the image's name")
    return _NOT_IN_A_NAME.sub("", wanted)


def _added(each: Instruction, escape: str) -> Iterator[str]:
    """Yields the sources and the target of an `ADD`, written as words or as JSON, without quotes."""
    if each.word != "ADD":
        return
    try:
        words = json.loads(each.rest)
    except (ValueError, RecursionError):
        words = None
    if not isinstance(words, list):
        words = re.split(f"{BLANK}+", each.rest)
    yield from (re.sub(rf"[\"'{re.escape(escape)}]", "", str(word)) for word in words)


def _may_hide_a_host(source: str) -> bool:
    """Returns True if a variable of the source may become its scheme or its host, or part of one."""
    before, variable, _ = source.partition("$")
    if not variable or _UP_TO_THE_HOST.match(before):
        return False
    return "://" in source or "@" in source or any(each.startswith(before.lower()) for each in _SCHEMES)


def _host(source: str) -> str | None:
    """Returns the host of an address; None for a path, and for an address that no builder could reach."""
    scp_like = _SCP_LIKE.fullmatch(source)
    if scp_like is not None:
        return scp_like[1]
    try:
        return urlsplit(source).hostname if "://" in source else None
    except ValueError:
        return None
