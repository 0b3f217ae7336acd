"""Free space on the disk of this process, and on the disks that workers report."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import text

from norn_tasks.domain.disk import DATA, Least, Space, amount
from norn_tasks.domain.errors import DiskFull
from norn_tasks.store.database.session import Tx

_BUILDERS = text("""
SELECT name, spaces FROM workers
 WHERE class = 'deploy' AND draining_at IS NULL AND seen_at > clock_timestamp() - interval '60 s' ORDER BY name""")


def here(data_dir: Path) -> Space:
    """Returns the free space where the data directory is or will be."""
    there = next(each for each in (data_dir, *data_dir.absolute().parents) if each.exists())
    found = os.statvfs(there)
    return Space(DATA, str(data_dir), found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)


def require_room(data_dir: Path, least: int) -> None:
    """Raises DiskFull if so little space is free that no new work may be accepted."""
    space = here(data_dir)
    if space.free < least:
        sentence = f"the disk is full: {space.describe()}; nothing new is accepted below {amount(least)}"
        raise DiskFull(sentence, hint=space.hint, retry_after=10)


def require_room_to_build(tx: Tx, least: Least) -> None:
    """Raises DiskFull if no deploy worker has enough space. If there is no worker, this cannot be checked, and the job
    itself checks later.
    """
    found = [_spaces(row.spaces) for row in tx.execute(_BUILDERS)]
    if found and not any(all(not least.lacks(space) for space in spaces) for spaces in found):
        least.require(found[0])


def _spaces(stored: list[dict[str, object]]) -> tuple[Space, ...]:
    return tuple(Space(**each) for each in stored)  # type: ignore[arg-type]
