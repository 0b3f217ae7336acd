"""Which directories of the host an app may see: those beneath a root that the operator has named, and none else.

Only paths are judged here. Who mounts one resolves it first, and asks again: links can lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.infraspec import Volume


def require_allowed(volume: Volume, path: Path, roots: Sequence[Path]) -> None:
    """Raises InvalidRequest unless `path`, to which the volume's hostPath leads, is one of the roots or beneath one."""
    if any(path.is_relative_to(root) for root in roots):
        return
    leads = "" if str(path) == volume.host_path else f" leads to {path}, which"
    told = f"volumes.{volume.name}.hostPath: {volume.host_path}{leads} is not beneath a directory that may be mounted"
    if roots:
        hint = f"choose one beneath {', '.join(map(str, roots))}, or have the operator add it to NORN_HOST_PATHS"
    else:
        hint = "write a size instead of hostPath, or have the operator name its directory in NORN_HOST_PATHS"
    raise InvalidRequest(told, hint=hint)
