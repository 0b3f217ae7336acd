"""Entries of an engine's log become lines: each once, at whatever entry a reading ended, and without secrets."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from norn_tasks.adapters.kept_logs.intake import LineIntake, LogEntry
from norn_tasks.domain.app_logs.lines import MISSING, Position
from norn_tasks.domain.redaction import NOTHING_HIDDEN, Redaction
from norn_tasks.domain.secret import Secret

SECOND = 10**9
PEM = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSj\n-----END KEY-----\n"


def entries(*texts: str, stream: int = 1, at: int = SECOND, step: int = 0) -> list[LogEntry]:
    return [LogEntry(stream, at + n * step, text.encode()) for n, text in enumerate(texts)]


def kept(log: Sequence[LogEntry], position: Position, hidden: Redaction = NOTHING_HIDDEN) -> tuple[list[str], Position]:
    """Reads an engine's log from a position on; returns the lines and the position after them."""
    intake = LineIntake(position, hidden)
    intake.feed([entry for entry in log if entry.at >= intake.since])
    batch = intake.batch()
    return ([text.decode() for text in batch.texts], batch.position) if batch else ([], position)


@pytest.mark.parametrize("cut", range(9))
@pytest.mark.parametrize("step", [0, 1, SECOND, 5 * SECOND])
def test_a_reading_goes_on_exactly_where_the_last_one_ended(cut: int, step: int) -> None:
    log = [
        entry
        for n in range(4)
        for entry in (
            *entries(f"out {n}\n", at=SECOND + n * step),
            *entries(f"err {n}\n", stream=2, at=SECOND + n * step),
        )
    ]
    first, position = kept(log[:cut], {})
    rest, end = kept(log, position)
    assert first + rest == [f"{name} {n}" for n in range(4) for name in ("out", "err")]
    assert kept(log, end) == ([], end)


def test_streams_whose_entries_are_not_in_order_lose_nothing() -> None:
    log = [*entries("late\n", at=2 * SECOND), *entries("early\n", stream=2, at=2 * SECOND - 1000)]
    _, position = kept(log[:1], {})
    assert kept(log, position)[0] == ["early"]


def test_lines_that_the_engine_has_dropped_leave_a_note() -> None:
    log = entries(*(f"{n}\n" for n in range(100)), step=1000)
    _, position = kept(log[:10], {})
    assert kept(log[9:], position)[0][0] == "10"
    assert kept(log[50:], position)[0][:2] == [MISSING, "50"]


def test_a_long_line_that_has_no_end_yet_is_read_again() -> None:
    log = entries("one\n", "a" * 16384, "b" * 100 + "\n", "two\n", step=1)
    first, position = kept(log[:2], {})
    assert (first, position) == (["one"], {1: (SECOND, 1)})
    assert kept(log, position)[0] == ["a" * 16384 + "b" * 100, "two"]


def test_a_line_without_any_end_is_split_and_held_only_up_to_a_bound() -> None:
    log = entries(*("x" * 16384 for _ in range(40)), step=1)
    lines, position = kept(log, {})
    assert (set(map(len, lines)), len(lines)) == ({65536, 16384}, 10)
    assert sum(map(len, lines)) + sum(map(len, kept(log, position)[0])) <= 40 * 16384


@pytest.mark.parametrize("cut", range(7))
def test_a_secret_is_hidden_wherever_a_reading_ends(cut: int) -> None:
    hidden = Redaction([Secret(PEM), Secret("hunter2-hunter2")])
    log = entries("before\n", *PEM.splitlines(keepends=True), "pass hunter2-hunter2!\n", "after\n", step=1)
    first, position = kept(log[:cut], {}, hidden)
    rest, _ = kept(log, position, hidden)
    lines = first + rest
    assert not any(part in line for line in lines for part in ("MIIE", "AQEF", "hunter2"))
    assert (lines[0], lines[-2], lines[-1]) == ("before", "***pass ***!", "after")


def test_what_a_program_wrote_last_without_a_line_end_is_a_line_at_its_end() -> None:
    intake = LineIntake({}, NOTHING_HIDDEN)
    intake.feed(entries("done\n", "no end"))
    intake.end()
    batch = intake.batch()
    assert batch is not None and list(batch.texts) == [b"done", b"no end"]
