"""The files through which a worker and an instance's init (its first process) communicate. The init's code is in
init/init.c.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from norn_tasks.adapters.incus.api import IncusApi
from norn_tasks.domain.errors import NotFound, StepFailed

STDOUT, STDERR = "stdout", "stderr"
DIRECTORY = "/.norn/run"
_HARMLESS = (
    "connection reset",
    "EOF",
    "broken pipe",
    "Failed to connect",
    "closed network",
    "no such file or directory",
)
"""Words in the error of a call that arrived while Incus's file server for the instance was ending. Such a call is
repeated, and the next file server answers it.
"""
_TRIES = 20
_MOST = 256
"""The most bytes that are read from a file that should contain only a few numbers."""


@dataclass(frozen=True)
class End:
    """The end of a run as its init recorded it; `halted`: somebody other than Norn stopped the instance."""

    code: int
    oom: bool
    halted: bool
    at: float


@dataclass(frozen=True)
class Progress:
    """How many bytes a run has written so far, and how it ended, once it has ended."""

    sizes: dict[str, int]
    end: End | None = None


class Files:
    """The files of one instance."""

    def __init__(self, api: IncusApi, instance: str) -> None:
        self._api, self._path = api, f"/1.0/instances/{instance}/files"

    def begun(self) -> float | None:
        """Returns the Unix time at which the init let the run's code begin; None if it has not begun."""
        try:
            return float(self.read("begun", 0, _MOST) or 0)
        except NotFound:
            return None

    def progress(self) -> Progress | None:
        """Returns the progress of the run; None before its init has written anything."""
        try:
            words = self.read("state", 0, _MOST).split()
        except NotFound:
            return None
        if len(words) < 2:
            return None
        sizes = {STDOUT: int(words[0]), STDERR: int(words[1])}
        if len(words) < 6:
            return Progress(sizes)
        return Progress(sizes, End(int(words[2]), words[3] == b"1", words[4] == b"1", float(words[5])))

    def read(self, name: str, start: int = 0, end: int | None = None) -> bytes:
        """Returns the bytes of a file from the offset `start` to before the offset `end`; raises NotFound if file or
        instance is missing.
        """
        headers = {"Range": f"bytes={start}-{end - 1}"} if end is not None else {}
        for attempt in range(_TRIES):
            try:
                return self._api.read(self._path, headers, path=f"{DIRECTORY}/{name}")
            except StepFailed as error:
                if attempt == _TRIES - 1 or not any(word in str(error.facts.get("said")) for word in _HARMLESS):
                    raise
                time.sleep(0.05)
        raise AssertionError("unreachable")

    def write(self, name: str, content: bytes = b"") -> None:
        """Writes a file that only the init can read; raises NotFound if the instance no longer exists."""
        headers = {f"X-Incus-{key}": value for key, value in _OURS.items()}
        self._api.upload(self._path, content, headers, path=f"{DIRECTORY}/{name}")

    def withdraw(self) -> bool:
        """Removes the file `go`, without which the init does not start the code. Returns False if the code has begun,
        or if another worker removed the file first.
        """
        try:
            self._api.change("DELETE", self._path, path=f"{DIRECTORY}/go")
        except NotFound:
            return False
        return True


_OURS = {"type": "file", "uid": "0", "gid": "0", "mode": "0600", "write": "overwrite"}
