"""`python -m norn_tasks.embedded logs`: prints the logs of all processes together, each line with the name of its
process.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from norn_tasks.domain.errors import NotFound
from norn_tasks.embedded.paths import data_paths
from norn_tasks.embedded.progress import say
from norn_tasks.embedded.supervision.processes import CLASSES
from norn_tasks.embedded.supervision.watch import tail
from norn_tasks.settings import Settings

_PARTS = ("beat", *(f"worker-{name}" for name in CLASSES))
"""The names of processes that are one process, `worker`, if the setting `embedded_processes` is `shared`."""


def logs(settings: Settings, process: str, *, lines: int, follow: bool) -> None:
    """Prints the last lines of a process's log, or of all logs if `process` is empty; with `follow`, it then prints new
    lines until Ctrl-C.

    Raises NotFound if there is no such log.
    """
    files = _files(data_paths(settings.data_dir).log, process, shared=settings.embedded_processes == "shared")
    growing = [Growing(file) for file in files]
    for file in files:
        for line in tail(file, lines):
            _print(file, line, named=len(files) > 1)
    while follow:
        fresh = [(log.path, line) for log in growing for line in log.fresh()]
        for file, line in fresh:
            _print(file, line, named=len(files) > 1)
        if not fresh:
            time.sleep(0.2)


class Growing:
    """Reads the new lines of a log that grows, and that may be rotated."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open(errors="replace")
        self._file.seek(0, os.SEEK_END)
        self._begun = ""

    def fresh(self) -> list[str]:
        """Returns the complete lines that were written since the last call."""
        read = self._begun + self._file.read()
        if self._rotated():
            self._file.close()
            self._file = self.path.open(errors="replace")
            read += self._file.read()
        *lines, self._begun = read.split("\n")
        return lines

    def _rotated(self) -> bool:
        try:
            return self.path.stat().st_ino != os.fstat(self._file.fileno()).st_ino
        except FileNotFoundError:
            return False


def _files(directory: Path, process: str, *, shared: bool) -> list[Path]:
    """Returns the logs of a process, or all logs; `shared`: workers and beat are one process, with one log."""
    files = sorted(directory.glob("*.log"))
    if not files:
        raise NotFound(
            f"no logs of norn up in {directory}",
            hint=f"for a server in docker-compose: docker-compose logs {process}".rstrip()
            + "; NORN_DATA_DIR names another directory of norn up",
        )
    chosen = [file for file in files if process in ("", file.stem)]
    if shared and process in _PARTS:
        chosen = [file for file in files if file.stem == "worker"] or chosen
    if not chosen:
        names = ", ".join(file.stem for file in files)
        raise NotFound(f"no log of {process}", hint=f"there are: {names}")
    return chosen


def _print(file: Path, line: str, *, named: bool) -> None:
    say(f"{file.stem:<14} | {line}" if named else line)
