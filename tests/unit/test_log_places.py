"""Positions in log lines: no line is read twice, and none after the position is left out."""

from __future__ import annotations

import pytest

from norn_api.streaming.log_places import LogPlaces, parse_places
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.store.broker.live import LiveLine


def line(text: str, second: int, container: str = "a1", stream: str = "stdout") -> LiveLine:
    """Returns a line with this second as its time."""
    at = f"2026-11-30T10:00:{second:02}.000000Z"
    return LiveLine("", "web-1", text, about={"at": at, "container": container, "stream": stream})


LINES = [line("one", 1), line("two", 1), line("other", 0, "b2"), line("three", 2), line("oops", 1, stream="stderr")]


def texts(lines: list[LiveLine]) -> list[str]:
    """Returns the texts of the lines."""
    return [each.line for each in lines]


def test_lines_that_come_again_are_left_out() -> None:
    places = LogPlaces()
    assert texts(places.new(LINES)) == ["one", "two", "other", "three", "oops"]
    places.begin_again()
    assert texts(places.new([*LINES, line("three too", 2), line("late", 0, "c3")])) == ["three too", "late"]


@pytest.mark.parametrize("read", range(len(LINES) + 1))
def test_a_reader_goes_on_wherever_it_was_cut_off(read: int) -> None:
    places = LogPlaces()
    places.new(LINES[:read])
    again = parse_places(places.written("web")).get("web", LogPlaces())
    assert texts(again.new(LINES)) == texts(LINES[read:])


def test_lines_without_a_time_are_always_new() -> None:
    places, note = LogPlaces(), LiveLine("", "norn", "… 3 lines dropped …")
    assert texts(places.new([note, note])) == [note.line] * 2
    assert places.earliest is None


def test_a_container_that_was_silent_for_long_is_not_waited_for() -> None:
    old = LiveLine(
        "", "web-0", "bye", about={"at": "2026-11-30T09:00:00.000000Z", "container": "a0", "stream": "stdout"}
    )
    places = LogPlaces()
    places.new([old, *LINES])
    assert places.earliest == "2026-11-30T10:00:00.000000Z"


@pytest.mark.parametrize("written", ["web", "web/a.stdout/now/1", "WEB/a.stdout/2026-11-30T10:00:01.000000Z/1", ";;x;"])
def test_a_position_that_nobody_gave_is_refused(written: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_places(written)
