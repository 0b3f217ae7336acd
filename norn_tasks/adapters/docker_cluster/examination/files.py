"""Reads the beginning of a file in a container. Nothing is executed in the container, so this also works after the
container has ended.
"""

from __future__ import annotations

import io
import tarfile
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from docker import APIClient

from norn_tasks.adapters.docker_cluster.containers import Containers
from norn_tasks.domain.causes import ProgramFile
from norn_tasks.domain.causes.program import failed_program
from norn_tasks.domain.errors import Conflict, EngineDown, NotFound, StepFailed

REFUSED = (NotFound, Conflict, StepFailed, EngineDown)
"""The errors with which the engine says that it cannot show a file or a container."""

_HEAD = 256
_LINKS = 4


def program_file(containers: Containers, found: dict[str, Any], lines: tuple[str, ...]) -> ProgramFile | None:
    """Returns the beginning of the file that the container could not execute; None if its output names none."""
    named = failed_program(lines)
    if named is None:
        return None
    place = PurePosixPath(found["Config"].get("WorkingDir") or "/") / named
    for _ in range(_LINKS):
        try:
            chunk, link = containers.at_once(partial(_archived, container=found["Id"], path=str(place)))
        except REFUSED:
            return ProgramFile(named, b"")
        if not link:
            return ProgramFile(named, chunk)
        place = place.parent / link
    return ProgramFile(named, b"")


def _archived(client: APIClient, container: str, path: str) -> tuple[bytes, str]:
    """Returns the first bytes of a file in the container, and an empty text; for a link, no bytes, and the link's
    target.
    """
    stream, facts = client.get_archive(container, path)
    if facts.get("linkTarget"):
        return b"", str(facts["linkTarget"])
    begin = b""
    for piece in stream:
        begin += piece
        if len(begin) >= tarfile.BLOCKSIZE * 3 + _HEAD:
            break
    with tarfile.open(fileobj=io.BytesIO(begin), mode="r|", ignore_zeros=True) as archive:
        entry = archive.next()
        file = archive.extractfile(entry) if entry is not None and entry.isfile() else None
        return (file.read(_HEAD) if file is not None else b""), ""
