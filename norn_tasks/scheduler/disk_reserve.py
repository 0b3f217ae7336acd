"""The disk reserve: a file on the disk of the embedded database that is deleted when the disk is full.

PostgreSQL stops when it cannot write its log, and then cannot start again. The deleted file gives it the space to
finish accepted work, while new work is refused. The file is created again when there is enough space.
"""

from __future__ import annotations

import os
from pathlib import Path

import structlog

from norn_tasks.domain.disk import MIB
from norn_tasks.store.fleet import disk

log = structlog.get_logger()
SIZE = 64 * MIB
DELETE_BELOW = 32 * MIB


class DiskReserve:
    """The reserve in a data directory; not used if the database is elsewhere. It is created when more than `above`
    bytes and twice its own size are free.
    """

    def __init__(self, data_dir: Path, above: int) -> None:
        self._data_dir, self._above = data_dir, above
        self._file = data_dir / "reserve"

    def look(self) -> None:
        """Deletes the reserve if the disk is full, or creates it if there is enough space."""
        if not (self._data_dir / "postgres").is_dir():
            return
        free = disk.here(self._data_dir).free
        if free < DELETE_BELOW and self._file.exists():
            self._file.unlink(missing_ok=True)
            log.error(
                "the disk is full: the reserve was deleted to give its space to the database",
                free_bytes=free,
                reserve_bytes=SIZE,
            )
        elif free > self._above + 2 * SIZE and not self._file.exists():
            self._create()

    def _create(self) -> None:
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, SIZE)
        except OSError as error:
            self._file.unlink(missing_ok=True)
            log.warning("the reserve could not be created", error=error.strerror)
        finally:
            os.close(descriptor)
