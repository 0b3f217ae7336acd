"""Hiding an app's secrets in whatever is captured of it: logs, output, sentences. Each occurrence becomes `***`.

A value is looked for as it stands, as JSON and as a URL write it, and in base64 wherever it may begin there; of a value
of several lines, each longer line too. Bytes in which none occurs go through unchanged, so that a stream may be binary.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from norn_tasks.domain.secret import Secret

MARK = b"***"
SHORTEST = 6
"""Bytes: a shorter value is not hidden, because it would be found where it is not meant."""

_SHORTEST_LINE = 16
_SHORTEST_CUT = 16
"""Bytes of the beginning of a value that are hidden at the end of a stream: its program was stopped in the middle."""

_BEGINNING = 4
Span = tuple[int, int]


class Redaction:
    """What is to be hidden; the same for every stream of an app."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        needles = {spelling for secret in secrets for spelling in _spellings(secret.reveal())}
        self._needles = sorted(needles)
        self._longest = max(map(len, needles), default=0)
        self._by_beginning: dict[bytes, list[bytes]] = defaultdict(list)
        for needle in self._needles:
            self._by_beginning[needle[:_BEGINNING]].append(needle)
        beginnings = b"|".join(map(re.escape, self._by_beginning))
        self._beginning = re.compile(b"(?=" + beginnings + b")")

    @property
    def longest(self) -> int:
        """How many bytes the longest may take."""
        return self._longest

    @property
    def most_lines(self) -> int:
        """How many lines one may take."""
        return max((needle.count(b"\n") + 1 for needle in self._needles), default=0)

    def __bool__(self) -> bool:
        return bool(self._needles)

    def stream(self) -> Redactor:
        """Begins a stream that comes in pieces."""
        return Redactor(self)

    def of_bytes(self, data: bytes) -> bytes:
        """Answers the data with everything hidden."""
        redactor = self.stream()
        return redactor.feed(data) + redactor.end()

    def of_text(self, text: str) -> str:
        """Answers the text with everything hidden."""
        if not self._needles:
            return text
        return self.of_bytes(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def spans(self, data: bytes) -> Iterator[Span]:
        """Gives every place at which something is to be hidden; they may overlap."""
        for needle in self._needles:
            at = data.find(needle)
            while at >= 0:
                yield at, at + len(needle)
                at = data.find(needle, at + 1)

    def open_end(self, data: bytes) -> int:
        """Answers from where on the data may be the beginning of something whose rest is still to come."""
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
    """Takes a stream in pieces, and answers of it what is decided: what may be the beginning of a secret waits."""

    def __init__(self, redaction: Redaction) -> None:
        self._redaction = redaction
        self._held = b""
        self._hidden = 0
        """So many of the held bytes belong to something whose mark was answered already."""

    def feed(self, data: bytes) -> bytes:
        """Takes the next piece."""
        if not self._redaction:
            return data
        data = self._held + data
        return self._decide(data, self._redaction.open_end(data))

    def end(self) -> bytes:
        """Answers what was held: no more comes."""
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
    """Gives the spans in order, overlapping ones as one; the first `hidden` bytes are one from before."""
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


def _spellings(value: str) -> set[bytes]:
    """Answers the ways in which a program may print a value."""
    raw = value.encode("utf-8", "surrogatepass")
    if len(raw) < SHORTEST:
        return set()
    texts = [value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]]
    texts += [quote(raw, safe=""), quote(raw), quote_plus(raw)]
    lines = [line.strip() for line in value.splitlines()] if "\n" in value else []
    texts += [line for line in lines if len(line) >= _SHORTEST_LINE]
    # Without its last line ends a value is printed by most shells.
    texts.append(value.rstrip("\r\n"))
    return {text.encode("utf-8", "surrogatepass") for text in texts if len(text) >= SHORTEST} | _in_base64(raw)


def _in_base64(raw: bytes) -> set[bytes]:
    """Answers the letters that a value has in base64 whatever stands before and after it there."""
    found = set()
    for before in range(3):
        first = -(-before * 4 // 3)
        last = (before + len(raw)) * 8 // 6
        for encode in (b64encode, urlsafe_b64encode):
            found.add(encode(b"\0" * before + raw)[first:last])
    return found
