"""Splits the engine's stream of stdout and stderr frames, and keeps streams of any length in limited memory."""

from __future__ import annotations

import pytest

from norn_tasks.adapters.capture import Capture
from norn_tasks.adapters.docker.frames import STDERR, STDOUT, Frames
from norn_tasks.adapters.processes.redaction import without_credentials


def frame(stream: int, payload: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload


@pytest.mark.parametrize("step", [1, 3, 8, 1000])
def test_frames_are_put_together_however_they_are_cut(step: int) -> None:
    sent = frame(STDOUT, b"hello") + frame(STDERR, b"") + frame(STDERR, b"oh") + frame(STDOUT, b" world")
    frames = Frames()
    pieces = [piece for at in range(0, len(sent), step) for piece in frames.feed(sent[at : at + step])]
    both = [b"".join(data for stream, data in pieces if stream == wanted) for wanted in (STDOUT, STDERR)]
    assert both == [b"hello world", b"oh"]


@pytest.mark.parametrize(
    ("size", "head", "tail", "dropped"), [(0, 0, 0, 0), (10, 10, 0, 0), (12, 10, 2, 0), (15, 10, 5, 0), (99, 10, 5, 84)]
)
def test_a_stream_keeps_its_head_and_tail(size: int, head: int, tail: int, dropped: int) -> None:
    capture = Capture(10, 5)
    for n in range(size):
        capture.feed(bytes([n]))
    kept = capture.captured()
    assert (len(kept.head), len(kept.tail), kept.dropped, kept.size) == (head, tail, dropped, size)


def test_the_tail_is_what_came_last() -> None:
    capture = Capture(1, 3)
    capture.feed(b"abcdefgh")
    assert capture.captured().tail == b"fgh"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://joe:pw@host/x", "https://***@host/x"),
        ("see ssh://git@host and https://h/a@b", "see ssh://***@host and https://h/a@b"),
        ("nothing here", "nothing here"),
    ],
)
def test_credentials_in_addresses_are_hidden(text: str, shown: str) -> None:
    assert without_credentials(text) == shown
