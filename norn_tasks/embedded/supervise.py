"""`python -m norn_tasks.embedded.supervise`: supervisord, which outlives a full disk.

When a log cannot be written, supervisor tells so on stderr, which is a file on the same disk: writing that fails too,
and supervisord would end, and with it everything it looks after. Here stderr drops what cannot be written.
"""

from __future__ import annotations

import sys
from typing import Any, TextIO, cast

from supervisor import supervisord


class Patient:
    """A stream that drops what its file does not take."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes, or does not."""
        try:
            return self._stream.write(text)
        except OSError:
            return len(text)

    def flush(self) -> None:
        """Flushes, or does not."""
        try:
            self._stream.flush()
        except OSError:
            return

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def main() -> None:
    """Runs supervisord with the words of the command line."""
    sys.stderr, sys.stdout = cast(TextIO, Patient(sys.stderr)), cast(TextIO, Patient(sys.stdout))
    supervisord.main()


if __name__ == "__main__":
    main()
