"""Log entries of the engine are joined into lines."""

from __future__ import annotations

import pytest

from norn_tasks.adapters.processes.entries import LONGEST, Entries, last_lines, spare
from norn_tasks.domain.redaction import Redaction
from norn_tasks.domain.secret import Secret


def lines(*entries: bytes) -> list[str]:
    put = Entries("r1-1")
    return [line.text for entry in entries for line in put.feed(entry)] + [line.text for line in put.end()]


AT = b"2026-11-23T14:53:25.754063784Z "


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([AT + b"one\n", AT + b"two\n"], ["one", "two"]),
        ([AT + b"\n"], [""]),
        ([AT + b"one\r\n"], ["one"]),
        ([AT + b"first ", AT + b"second\n"], ["first second"]),
        ([AT + b"no end"], ["no end"]),
        ([AT + b"  kept  \n"], ["  kept  "]),
        ([AT + b"\xff\0\n"], ["\ufffd\ufffd"]),
        ([], []),
    ],
)
def test_entries_become_lines(entries: list[bytes], expected: list[str]) -> None:
    assert lines(*entries) == expected


LONG = "c4n4ry" * 9000
"""A secret that fills several entries of the log; in base64 it fills more."""


@pytest.mark.parametrize("before", range(1, 9))
def test_a_log_that_is_read_from_the_middle_of_a_secret_does_not_show_its_end(before: int) -> None:
    hidden = Redaction([Secret(LONG)])
    whole = LONG.encode() + b"\n"
    log = [AT + whole[at : at + 16_384] for at in range(0, len(whole), 16_384)] + [
        AT + b"line %d\n" % n for n in range(20)
    ]
    read = log[before:]
    shown = [line.text for line in last_lines(read, "r1-1", len(read) - spare(hidden), hidden)]
    assert not any("4ry" in text for text in shown)
    assert "line 19" in shown


def test_a_short_log_is_shown_from_its_first_line() -> None:
    read = [AT + b"line %d\n" % n for n in range(9)]
    assert len(last_lines(read, "r1-1", 9, Redaction([Secret(LONG)]))) == 9


def test_a_line_is_cut_at_its_limit() -> None:
    pieces = [AT + b"a" * 16_384] * 9 + [AT + b"b\n"]
    assert [len(line) for line in lines(*pieces)] == [LONGEST, LONGEST, 9 * 16_384 + 1 - 2 * LONGEST]


def test_a_program_that_never_ends_its_line_is_not_held() -> None:
    put = Entries("r1-1")
    told = sum(len(line.text) for _ in range(1000) for line in put.feed(AT + b"a" * 16_384))
    assert 1000 * 16_384 - told <= LONGEST


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (b"2026-11-23T14:53:25.1Z", b"2026-11-23T14:53:25.15Z"),
        (b"2026-11-23T14:53:25Z", b"2026-11-23T14:53:25.000000001Z"),
        (b"2026-11-23T14:53:25.9Z", b"2026-11-23T14:53:26Z"),
    ],
)
def test_times_sort_as_they_passed(earlier: bytes, later: bytes) -> None:
    first, second = (next(iter(Entries("r1-1").feed(at + b" x\n"))).at for at in (earlier, later))
    assert first < second
