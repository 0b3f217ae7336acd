"""Hides an app's secrets in its captured logs, output and messages. Each occurrence becomes `***`.

A value is hidden in all forms in which programs may print it: unchanged; as in JSON, in a URL, in Python's repr and in
shells; and in base64 at any offset. If the value has several lines, each line that is long enough is hidden too. If the
value is a URL, its password is hidden too. Bytes that contain no secret are not changed, so a stream may be binary.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus, unquote

from norn_tasks.domain.secret import Secret

MARK = b"***"
SHORTEST = 6
"""The fewest bytes that a hidden value has; a shorter value would match unrelated text."""

_SHORTEST_LINE = 16
_SHORTEST_CUT = 16
"""At the end of a stream, the beginning of a value is hidden if it has at least this many bytes, because the rest may
have been cut off.
"""

_ANSI_C = {chr(code): f"\\{code:03o}" for code in (*range(1, 32), 127)} | {
    "\a": r"\a", "\b": r"\b", "\t": r"\t", "\n": r"\n", "\v": r"\v", "\f": r"\f", "\r": r"\r", "\x1b": r"\E",
    "\\": r"\\", "'": r"\'",
}  # fmt: skip
"""The escapes that bash uses for characters inside $'…'."""

_URL_PASSWORD = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/:@]*:([^\s/@]{12,})@", re.IGNORECASE)
"""A URL with a password of 12 characters or more; a shorter password may be common in logs, such as `postgres`."""
_BEGINNING = 4
"""The number of bytes of a secret that are compared first, for speed."""
Span = tuple[int, int]


class Redaction:
    """The values to hide; they are the same for all streams of an app."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        values = {value for secret in secrets for value in (secret.reveal(), *_passwords(secret.reveal()))}
        needles = {spelling for value in values for spelling in _spellings(value)}
        self._needles = sorted(needles)
        self._longest = max(map(len, needles), default=0)
        self._by_beginning: dict[bytes, list[bytes]] = defaultdict(list)
        for needle in self._needles:
            self._by_beginning[needle[:_BEGINNING]].append(needle)
        beginnings = b"|".join(map(re.escape, self._by_beginning))
        self._beginning = re.compile(b"(?=" + beginnings + b")")

    @property
    def longest(self) -> int:
        """The length of the longest value in bytes."""
        return self._longest

    @property
    def most_lines(self) -> int:
        """The largest number of lines of a value."""
        return max((needle.count(b"\n") + 1 for needle in self._needles), default=0)

    def __bool__(self) -> bool:
        return bool(self._needles)

    def stream(self) -> Redactor:
        """Returns a redactor for a stream that arrives in pieces."""
        return Redactor(self)

    def of_bytes(self, data: bytes) -> bytes:
        """Returns the data with every secret hidden."""
        redactor = self.stream()
        return redactor.feed(data) + redactor.end()

    def of_text(self, text: str) -> str:
        """Returns the text with every secret hidden."""
        if not self._needles:
            return text
        return self.of_bytes(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def clean(self, data: bytes) -> bool:
        """Returns True if the data contains no secret, and no secret begins at its end."""
        return not any(needle in data for needle in self._needles) and self.open_end(data) == len(data)

    def spans(self, data: bytes) -> Iterator[Span]:
        """Yields the span of every secret; spans may overlap."""
        for needle in self._needles:
            at = data.find(needle)
            while at >= 0:
                yield at, at + len(needle)
                at = data.find(needle, at + 1)

    def open_end(self, data: bytes) -> int:
        """Returns the position from which the data may be the beginning of a secret that continues in the next piece;
        the length of the data if there is no such position.
        """
        first = max(0, len(data) - self._longest + 1)
        for found in self._beginning.finditer(data, first):
            at = found.start()
            rest = data[at:]
            if any(len(n) > len(rest) and n.startswith(rest) for n in self._by_beginning[data[at : at + _BEGINNING]]):
                return at
        for at in range(max(first, len(data) - _BEGINNING + 1), len(data)):
            if any(beginning.startswith(data[at:]) for beginning in self._by_beginning):
                return at
        return len(data)


NOTHING_HIDDEN = Redaction()


class Redactor:
    """Redacts a stream in pieces; it holds back bytes that may be the beginning of a secret."""

    def __init__(self, redaction: Redaction) -> None:
        self._redaction = redaction
        self._held = b""
        self._hidden = 0
        """The number of held bytes that belong to a secret for which `***` was already written."""

    @property
    def holding(self) -> bool:
        """True while bytes are held back."""
        return bool(self._held)

    def feed(self, data: bytes) -> bytes:
        """Takes the next piece, and returns the redacted bytes, except bytes at the end that may be the beginning of a
        secret.
        """
        if not self._redaction:
            return data
        data = self._held + data
        return self._decide(data, self._redaction.open_end(data))

    def end(self) -> bytes:
        """Returns the redacted rest at the end of the stream."""
        begun = self._redaction.open_end(self._held) if self._held else 0
        if len(self._held) - begun < _SHORTEST_CUT:
            return self._decide(self._held, len(self._held))
        shown = self._decide(self._held, begun)
        covered = self._hidden > 0
        self._held, self._hidden = b"", 0
        return shown if covered else shown + MARK

    def _decide(self, data: bytes, until: int) -> bytes:
        out, at = [], 0
        for start, end in _merged(self._hidden, self._redaction.spans(data)):
            if start >= until:
                break
            out.append(data[at:start])
            if start > 0 or not self._hidden:
                out.append(MARK)
            at = end
        out.append(data[at:until])
        self._held, self._hidden = data[until:], max(0, max(at, self._hidden) - until)
        return b"".join(out)


def _merged(hidden: int, spans: Iterable[Span]) -> Iterator[Span]:
    """Yields the spans in order, with overlapping spans merged. The first `hidden` bytes belong to a secret that began
    earlier.
    """
    ordered = sorted([*spans, *([(0, hidden)] if hidden else [])])
    last: Span | None = None
    for start, end in ordered:
        if last is not None and start < last[1]:
            last = (last[0], max(last[1], end))
            continue
        if last is not None:
            yield last
        last = (start, end)
    if last is not None:
        yield last


def _passwords(value: str) -> tuple[str, ...]:
    """Returns the password of a URL, because programs take URLs apart and print the parts."""
    found = _URL_PASSWORD.match(value)
    if found is None:
        return ()
    return tuple({found[1], unquote(found[1])})


def _spellings(value: str) -> set[bytes]:
    """Returns the forms in which a program may print a value."""
    raw = value.encode("utf-8", "surrogatepass")
    if len(raw) < SHORTEST:
        return set()
    texts = [value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]]
    texts += [quote(raw, safe=""), quote(raw), quote_plus(raw)]
    texts += [repr(value)[1:-1], repr(raw)[2:-1], *_in_shells(value)]
    lines = [line.strip() for line in value.splitlines()] if "\n" in value else []
    texts += [line for line in lines if len(line) >= _SHORTEST_LINE]
    # Most shells print a value without the line ends at its end.
    texts.append(value.rstrip("\r\n"))
    return {text.encode("utf-8", "surrogatepass") for text in texts if len(text) >= SHORTEST} | _in_base64(raw)


def _in_shells(value: str) -> list[str]:
    """Returns a value as shells quote it, for example when they trace commands (`set -x`), without the outer quotes."""
    return [
        value.replace("'", r"'\''"),
        value.replace("'", "'\"'\"'"),
        "".join(_ANSI_C.get(each, each) for each in value),
    ]


def _in_base64(raw: bytes) -> set[bytes]:
    """Returns the value in base64, at each offset, without the characters that depend on the bytes around the value."""
    found = set()
    for before in range(3):
        first = -(-before * 4 // 3)
        last = (before + len(raw)) * 8 // 6
        for encode in (b64encode, urlsafe_b64encode):
            found.add(encode(b"\0" * before + raw)[first:last])
    return found
