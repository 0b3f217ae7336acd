"""Turns a program's output into lines for a log: valid text of bounded length, no matter what the program writes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from norn_tasks.ports import Say

LONGEST = 8192
"""Bytes after which a line without a line end is cut, so that a program cannot fill the worker's memory."""

_END = re.compile(rb"\r\n|\r|\n")


def decode(data: bytes) -> str:
    """Returns text that every store accepts: invalid UTF-8 and NUL characters are replaced."""
    return data.decode("utf-8", "replace").replace("\0", "\ufffd")


class Lines:
    """Cuts a stream of bytes into lines; `\\r` also ends a line, because progress bars use it."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[str]:
        """Yields the lines that are complete."""
        *whole, rest = _END.split(self._rest + data)
        self._rest = rest[-(len(rest) % LONGEST) :] if len(rest) % LONGEST else b""
        whole += _pieces(rest[: len(rest) - len(self._rest)])
        yield from (decode(piece) for line in whole for piece in _pieces(line) if piece)

    def end(self) -> Iterator[str]:
        """Yields the rest after the last line end."""
        rest, self._rest = self._rest, b""
        if rest:
            yield decode(rest)


def with_ends(say: Say) -> Say:
    """Returns a function that takes lines without their line ends, and passes them with line ends to `say`."""
    return lambda line: say(f"{line}\n")


def _pieces(line: bytes) -> list[bytes]:
    return [line[at : at + LONGEST] for at in range(0, len(line), LONGEST)]
