"""Checks the directories of the host that apps mount: an app may mount only a directory that the operator has named.

A directory inside a named directory is refused. An app that has mounted the named directory could replace the inner
directory with a link. The engine follows links each time it starts a container, and would mount the target of the link.
For the same reason, no named directory may lie inside another. Only paths are checked here. The code that mounts a
directory resolves its path first, and checks the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from norn_tasks.domain.errors import InvalidRequest

if TYPE_CHECKING:  # Every process imports the settings, which import this module, and the models of specs take 8 MiB.
    from norn_tasks.domain.infraspec import Volume


def require_allowed(volume: Volume, path: Path, roots: Sequence[Path]) -> None:
    """Raises InvalidRequest unless `path`, which is the resolved hostPath of the volume, is one of the roots."""
    if path in roots:
        return
    leads = "" if str(path) == volume.host_path else f" leads to {path}, which"
    sentence = f"volumes.{volume.name}.hostPath: {volume.host_path}{leads} is not a directory that may be mounted"
    if roots:
        hint = f"choose one of {', '.join(map(str, roots))}, or have the operator add it to NORN_HOST_PATHS"
    else:
        hint = "write a size instead of hostPath, or have the operator name its directory in NORN_HOST_PATHS"
    raise InvalidRequest(sentence, hint=hint)


def require_apart(roots: Sequence[Path]) -> None:
    """Raises InvalidRequest if one root lies inside another."""
    for inner in roots:
        outer = next((each for each in roots if each != inner and inner.is_relative_to(each)), None)
        if outer is not None:
            raise InvalidRequest(
                f"NORN_HOST_PATHS: {inner} lies beneath {outer}, and an app that mounts {outer} could replace it",
                hint=f"name either {outer} or directories in it",
            )
