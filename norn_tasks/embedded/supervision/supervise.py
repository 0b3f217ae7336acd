"""`python -m norn_tasks.embedded.supervision.supervise`: supervisord, which forks Norn and survives a full disk.

If its configuration has processes of Norn, it imports their modules and forks them. If a log cannot be written,
supervisord reports that on stderr, which is a file on the same disk. That write fails too, and would end supervisord
with all its processes. Here stderr drops text that cannot be written.
"""

from __future__ import annotations

import sys
from configparser import RawConfigParser
from typing import Any, TextIO, cast

from supervisor import supervisord

from norn_tasks.embedded.supervision import forks
from norn_tasks.embedded.supervision.configuration import NORN


class Patient:
    """A stream that drops text that its file does not accept."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes the text, or drops it."""
        try:
            return self._stream.write(text)
        except OSError:
            return len(text)

    def flush(self) -> None:
        """Flushes the file if possible."""
        try:
            self._stream.flush()
        except OSError:
            return

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def main(arguments: list[str]) -> None:
    """Runs supervisord with the arguments of the command line."""
    sys.stderr, sys.stdout = cast(TextIO, Patient(sys.stderr)), cast(TextIO, Patient(sys.stdout))
    if _has_norn(arguments[-1]):
        forks.preload()
    supervisord.ServerOptions = forks.ForkingOptions
    supervisord.main(arguments)


def _has_norn(configuration: str) -> bool:
    """Returns True if the configuration has processes of Norn in addition to the stores."""
    file = RawConfigParser()
    file.read(configuration)
    return file.has_section(f"group:{NORN}")


if __name__ == "__main__":
    main(sys.argv[1:])
