"""Occurrences in the form that users read: local time, its offset, and a remark about nights in which clocks change."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest

from norn_tasks.domain.cron.description import Occurrence, described, next_odd_night
from norn_tasks.domain.cron.expression import parse_schedule

FAR = datetime(2999, 1, 1, tzinfo=UTC)


def occurrences(text: str, zone: str, start: str, count: int) -> list[Occurrence]:
    schedule, begin = parse_schedule(text, zone), datetime.fromisoformat(start)
    return list(described(schedule, islice(schedule.between(begin, FAR, begin), count), begin))


def test_each_line_has_the_walls_time_and_its_offset() -> None:
    (one,) = occurrences("0 9 * * *", "Asia/Kathmandu", "2026-11-01T00:00Z", 1)
    assert one == Occurrence(datetime(2026, 11, 1, 3, 15, tzinfo=UTC), "2026-11-01 09:00:00", "+05:45")


def test_a_fixed_time_in_the_gap_says_that_it_comes_right_after() -> None:
    _, night, after = occurrences("30 2 * * *", "Europe/Berlin", "2026-03-27T12:00Z", 3)
    assert (night.local, night.offset) == ("2026-03-29 03:00:00", "+02:00")
    assert night.note == "02:00 to 03:00 does not exist that night: the schedule is due once, right after that"
    assert (after.local, after.note) == ("2026-03-30 02:30:00", "")


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (
            "15,45 2 * * *",
            "02:00 to 03:00 does not exist that night: "
            "the schedule's 2 times in that hour become one run, right after it",
        ),
        (
            "0 2,3 * * *",
            "02:00 to 03:00 does not exist that night: the schedule's times in that hour and at 03:00 become one run",
        ),
        ("30 2 * * *", "02:00 to 03:00 does not exist that night: the schedule is due once, right after that"),
    ],
)
def test_fixed_times_of_one_gap_are_one_run_also_when_the_second_has_begun(text: str, note: str) -> None:
    """The start is the time of a request, which has a fraction of a second."""
    (night,) = occurrences(text, "Europe/Berlin", "2026-03-28T12:00:00.5Z", 1)
    assert (night.local, night.note) == ("2026-03-29 03:00:00", note)


def test_the_next_odd_night_is_the_one_that_moves_or_could_repeat_a_fixed_time() -> None:
    spring = datetime(2026, 1, 1, tzinfo=UTC)
    (night,) = next_odd_night(parse_schedule("30 2 * * *", "Europe/Berlin"), spring)
    assert night.local == "2026-03-29 03:00:00"
    assert next_odd_night(parse_schedule("30 9 * * *", "Europe/Berlin"), spring) == ()
    assert next_odd_night(parse_schedule("*/30 * * * *", "Europe/Berlin"), spring) == ()


def test_a_fixed_time_in_the_repeated_hour_says_that_it_comes_once() -> None:
    night, after = occurrences("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", 2)
    assert night.note == "the clock shows 02:30 twice that night: the schedule is due once, the first time"
    assert after.note == "the clocks went back on 2026-10-25, from 03:00 to 02:00"


def test_a_wildcard_says_which_showing_it_is() -> None:
    found = occurrences("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:59Z", 5)
    assert [one.local[11:16] for one in found] == ["02:00", "02:30", "02:00", "02:30", "03:00"]
    assert [one.note.rpartition("this is the ")[2] for one in found] == [
        "first time", "first time", "second time", "second time", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "zone", "start", "note"),
    [
        ("0 3 * * *", "Europe/Berlin", "2026-03-28T12:00Z",
         "the clocks went forward on 2026-03-29, from 02:00 to 03:00"),
        ("0 9 1 * *", "Europe/Berlin", "2026-10-01T12:00Z", "the clocks went back on 2026-10-25, from 03:00 to 02:00"),
        ("@every 5h", "Europe/Berlin", "2026-10-24T22:30Z", "the clocks went back on 2026-10-25, from 03:00 to 02:00"),
        ("0 2 * * *", "Australia/Lord_Howe", "2026-10-03T10:00Z",
         "02:00 to 02:30 does not exist that night: the schedule is due once, right after that"),
        ("0 9 * * *", "UTC", "2026-03-28T12:00Z", ""),
    ],
)  # fmt: skip
def test_the_first_line_after_a_change_says_so(text: str, zone: str, start: str, note: str) -> None:
    assert occurrences(text, zone, start, 1)[0].note == note
