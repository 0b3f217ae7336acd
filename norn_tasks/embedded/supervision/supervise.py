"""`python -m norn_tasks.embedded.supervision.supervise`: supervisord, changed so that it forks Norn's processes and
survives a full disk.

If its configuration contains processes of Norn, it imports their modules and forks them. If supervisord cannot write a
log, it reports that on stderr, which is a file on the same disk. That second write would fail too, and end supervisord
with all its processes. So this module drops text that stderr does not accept.
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
    sections = _sections(arguments[-1])
    if f"group:{NORN}" in sections:
        forks.preload(separate="program:beat" in sections)
    supervisord.ServerOptions = forks.ForkingOptions
    supervisord.main(arguments)


def _sections(configuration: str) -> list[str]:
    """Returns the sections of the configuration: one for each group and each program."""
    file = RawConfigParser()
    file.read(configuration)
    return file.sections()


if __name__ == "__main__":
    main(sys.argv[1:])
