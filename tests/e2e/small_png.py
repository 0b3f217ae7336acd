"""Reduces a screenshot (PNG) to 256 colours; a page of text hardly needs more."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOURS = 256
Colour = tuple[int, int, int]


def shrink(png: bytes) -> bytes:
    """Returns the picture with at most 256 colours; raises ValueError if the picture does not have 8 bits for each
    primary colour.
    """
    chunks = list(_chunks(png))
    width, height, depth, kind = struct.unpack(">IIBB", chunks[0][1][:10])
    if (depth, kind) not in ((8, 2), (8, 6)):
        raise ValueError("not a picture with 8 bits for red, green and blue")
    step = 3 if kind == 2 else 4
    data = zlib.decompress(b"".join(content for name, content in chunks if name == b"IDAT"))
    rows = list(_rows(data, width, height, step))
    pixels = [[(row[at], row[at + 1], row[at + 2]) for at in range(0, len(row), step)] for row in rows]
    counted = Counter(pixel for row in pixels for pixel in row)
    palette = _palette(counted)
    place = {colour: _nearest(colour, palette) for colour in counted}
    lines = b"".join(b"\0" + bytes(place[pixel] for pixel in row) for row in pixels)
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", bytes(part for colour in palette for part in colour)),
            _chunk(b"IDAT", zlib.compress(lines, 9)),
            _chunk(b"IEND", b""),
        )
    )


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(png):
        length, name = struct.unpack(">I4s", png[at : at + 8])
        yield name, png[at + 8 : at + 8 + length]
        at += length + 12


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _rows(data: bytes, width: int, height: int, step: int) -> Iterator[bytearray]:
    """Yields the rows without their filters (PNG, section 9)."""
    length, above = width * step, bytearray(width * step)
    for n in range(height):
        start = n * (length + 1)
        row = bytearray(data[start + 1 : start + 1 + length])
        _unfilter(data[start], row, above, step)
        yield row
        above = row


def _unfilter(filtering: int, row: bytearray, above: bytearray, step: int) -> None:
    for at in range(len(row) if filtering else 0):
        left = row[at - step] if at >= step else 0
        before = above[at - step] if at >= step else 0
        guess = (0, left, above[at], (left + above[at]) // 2, _paeth(left, above[at], before))[filtering]
        row[at] = (row[at] + guess) & 255


def _paeth(left: int, above: int, before: int) -> int:
    guess = left + above - before
    far = (abs(guess - left), abs(guess - above), abs(guess - before))
    return left if far[0] <= far[1] and far[0] <= far[2] else above if far[1] <= far[2] else before


def _palette(counted: Counter[Colour]) -> list[Colour]:
    """Returns the most frequent colours. Of similar colours it takes only the most frequent one, so that a rare red
    gets a place too.
    """
    common = [colour for colour, _ in counted.most_common()]
    for apart in (0, 50, 150, 400, 1000):
        chosen: list[Colour] = []
        for colour in common:
            if all(_distance(colour, other) > apart for other in chosen):
                chosen.append(colour)
            if len(chosen) > _COLOURS:
                break
        else:
            return chosen
    return chosen[:_COLOURS]


def _distance(one: Colour, other: Colour) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _nearest(colour: Colour, palette: list[Colour]) -> int:
    return min(range(len(palette)), key=lambda n: _distance(colour, palette[n]))
