"""Times of log lines in the forms that users write and read, and the names of containers in one output."""

from __future__ import annotations

import pytest

from norn_tasks.domain.app_logs.lines import LineNames, LogOrigin
from norn_tasks.domain.app_logs.times import parse_time, time_text
from norn_tasks.domain.errors import InvalidRequest

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", NOW - 90),
        ("1h30m", NOW - 5400),
        ("2d", NOW - 172_800),
        ("2027-01-15T08:00:00Z", NOW),
        ("2027-01-15T08:00", NOW),
        ("2027-01-15 09:00:00.5+01:00", NOW + 0.5),
        ("2027-01-15", NOW - 28_800),
    ],
)
def test_a_time_is_a_duration_before_now_or_a_moment(text: str, seconds: float) -> None:
    assert parse_time(text, NOW, "since") == int(seconds * 10**9)


@pytest.mark.parametrize("text", ["", "yesterday", "-1h", "2027-13-01", "2h ago"])
def test_what_is_neither_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^until: .* is neither a duration nor a time$"):
        parse_time(text, NOW, "until")


def test_a_time_is_shown_in_microseconds_of_utc() -> None:
    assert time_text(1_800_000_000_000_001_999) == "2027-01-15T08:00:00.000001Z"


def test_containers_of_one_name_are_distinguished() -> None:
    old, new, other = (
        LogOrigin(letter * 64, 3, n, replica) for letter, n, replica in (("a", 1, 1), ("b", 2, 1), ("c", 2, 2))
    )
    together, later = LineNames(), LineNames()
    together.add([old, new, other])
    assert [together.of(each) for each in (old, new, other)] == ["r3-1.aaaaaaaa", "r3-1.bbbbbbbb", "r3-2"]
    later.add([old])
    assert [later.of(each) for each in (old, new, other)] == ["r3-1", "r3-1.bbbbbbbb", "r3-2"]
