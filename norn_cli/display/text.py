"""Makes text from apps and servers safe for a terminal: an app's log line must not move the cursor or rename the
window.
"""

from __future__ import annotations

import re
import unicodedata

_SGR = re.compile(r"\x1b\[[0-9;:]*m")

# ECMA-48: device control, operating system and similar strings up to their terminator (or to the end of the line if
# there is none), control sequences, and the shorter escapes; each also in its 8-bit form.
_SEQUENCES = re.compile(
    r"(?:\x1b[PX\]^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c|(?=\n)|$)"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|\x1b[ -/]*[0-~]"
)

# Other control characters, and the overrides of writing direction, which can make a line look like a different one.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

RESET = "\x1b[0m"


def clean(text: str, *, colours: bool = False) -> str:
    """Removes every control sequence except colours, which stay only if `colours` is true.

    Newlines and tabs stay; a carriage return becomes a newline, so that no line paints over another.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = _SGR.findall(text) if colours else []
    plain = [_CONTROLS.sub("", _SEQUENCES.sub("", part)) for part in _SGR.split(text)]
    if not kept:
        return "".join(plain)
    return plain[0] + "".join(sgr + part for sgr, part in zip(kept, plain[1:], strict=True)) + RESET


def one_line(value: object) -> str:
    """Returns a value as one clean line for a table or a sentence."""
    return " ".join(clean(str(value)).split())


def width(text: str) -> int:
    """Returns the width of a clean text in a terminal's columns."""
    return sum(_columns(char) for char in text)


def clip(text: str, columns: int) -> str:
    """Cuts a clean line to at most `columns` columns."""
    if width(text) <= columns:
        return text
    taken = 0
    for index, char in enumerate(text):
        taken += _columns(char)
        if taken > columns - 1:
            return text[:index] + "…"
    return text


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
