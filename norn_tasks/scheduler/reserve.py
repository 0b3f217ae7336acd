"""The reserve: a file beside the embedded database that is given to it when the disk is full to the brim.

PostgreSQL that cannot write its log ends, and cannot begin again: with the reserve it ends what was accepted, while
nothing new is taken on. The reserve is laid in again as soon as there is room for it.
"""

from __future__ import annotations

import os
from pathlib import Path

import structlog

from norn_tasks.domain.disk import MIB
from norn_tasks.store import disk

log = structlog.get_logger()
SIZE = 64 * MIB
GIVEN_BELOW = 32 * MIB


class Reserve:
    """The reserve of a data directory, laid in when more than `above` is free; none where its database is elsewhere."""

    def __init__(self, data_dir: Path, above: int) -> None:
        self._data_dir, self._above = data_dir, above
        self._file = data_dir / "reserve"

    def look(self) -> None:
        """Gives the reserve away, or lays it in, whichever is time."""
        if not (self._data_dir / "postgres").is_dir():
            return
        free = disk.here(self._data_dir).free
        if free < GIVEN_BELOW and self._file.exists():
            self._file.unlink(missing_ok=True)
            log.error("the disk is full: the reserve is given to the database", free_bytes=free, reserve_bytes=SIZE)
        elif free > self._above + 2 * SIZE and not self._file.exists():
            self._lay_in()

    def _lay_in(self) -> None:
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, SIZE)
        except OSError as error:
            self._file.unlink(missing_ok=True)
            log.warning("no reserve could be laid in", error=error.strerror)
        finally:
            os.close(descriptor)
