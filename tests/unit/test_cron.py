"""The meaning of schedules, and their occurrences while no clock is changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from croniter import croniter
from hypothesis import given, settings
from hypothesis import strategies as st

from norn_tasks.domain.cron.expression import parse_schedule
from norn_tasks.domain.errors import InvalidRequest

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@Daily", "0 0 * * *"),
        ("  0\t9 * *  mon-fri ", "0 9 * * 1-5"),
        ("57-57/2 0,9-9/5 * * mon-mon/2", "57 0,9 * * 1"),
        ("07-7/20 09-9/3 04-4/2 5-MAY/6 mon-1/2", "7 9 4 5 1"),
        ("5/20 */5 1/9 JAN-jun/2 0-sun/1", "5-59/20 */5 1-31/9 1-6/2 0"),
    ],
)
def test_macros_and_spelling_become_five_fields(text: str, fields: str) -> None:
    assert parse_schedule(text).fields == fields


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("60 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day of the month"),
        ("* * L * *", "day of the month"),
        ("* * * 13 *", "month"),
        ("* * * foo *", "month"),
        ("* * * * 8", "day of the week"),
        ("* * * * 5#2", "day of the week"),
        ("* * * * 5L", "day of the week"),
        ("* * * * 1/2", "day of the week"),
    ],
)
def test_a_bad_field_is_named_with_what_it_may_be(text: str, part: str) -> None:
    with pytest.raises(InvalidRequest, match=f"the schedule's {part} .* is not good: "):
        parse_schedule(text)


@pytest.mark.parametrize("text", ["0 0 31 2 *", "0 0 30,31 2 *", "0 0 31 4,6,9,11 */2"])
def test_a_schedule_that_never_comes_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="is never due"):
        parse_schedule(text)


@pytest.mark.parametrize(
    "text", ["@every", "@every 90", "@every 0s", "@every 367d", "@every -5s", "@every 1.5h", "@everyday"]
)
def test_a_period_has_a_unit_and_lies_between_a_second_and_a_year(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_schedule(text)


@pytest.mark.parametrize(
    "zone", ["", "Nowhere/City", "../etc/passwd", "localtime", "right/UTC", "europe/berlin", "+02:00"]
)
def test_a_zone_is_a_name_of_the_database(zone: str) -> None:
    with pytest.raises(InvalidRequest, match="not a time zone"):
        parse_schedule("@daily", zone)


def test_a_fixed_time_is_meant_in_its_zone() -> None:
    assert parse_schedule("0 9 * * *", "Asia/Kolkata").next_after(NOON) == datetime(2026, 11, 24, 3, 30, tzinfo=UTC)


def test_the_next_occurrence_is_strictly_after_the_moment() -> None:
    schedule = parse_schedule("0 12 * * *")
    assert schedule.next_after(NOON) == NOON + timedelta(days=1)
    assert schedule.next_after(NOON - timedelta(microseconds=1)) == NOON


def test_a_moment_of_another_zone_is_understood() -> None:
    elsewhere = NOON.astimezone(tz=None)
    assert parse_schedule("1 12 * * *").next_after(elsewhere) == NOON + timedelta(minutes=1)


def test_between_leaves_out_the_start_and_keeps_the_end() -> None:
    found = list(parse_schedule("*/30 * * * *").between(NOON, NOON + timedelta(hours=1)))
    assert found == [NOON + timedelta(minutes=30), NOON + timedelta(hours=1)]


def test_day_and_weekday_are_either_when_both_are_given() -> None:
    found = parse_schedule("0 0 1 * 1").between(NOON, NOON + timedelta(days=9))
    assert [moment.day for moment in found] == [30, 1]


def test_day_and_weekday_are_both_when_one_begins_with_a_star() -> None:
    assert parse_schedule("0 0 29 2 */7").next_after(NOON) == datetime(2032, 2, 29, tzinfo=UTC)


def test_a_period_counts_from_its_anchor_and_first_comes_one_period_later() -> None:
    schedule, anchor = parse_schedule("@every 90s"), NOON + timedelta(microseconds=5)
    assert schedule.next_after(NOON - timedelta(days=1), anchor) == anchor + timedelta(seconds=90)
    assert schedule.next_after(anchor, anchor) == anchor + timedelta(seconds=90)
    assert schedule.next_after(anchor + timedelta(seconds=90), anchor) == anchor + timedelta(seconds=180)


def test_a_period_without_an_anchor_counts_from_the_moment() -> None:
    schedule = parse_schedule("@every 1h30m")
    assert schedule.next_after(NOON) == NOON + timedelta(minutes=90)
    assert len(list(schedule.between(NOON, NOON + timedelta(hours=6)))) == 4


def test_a_period_takes_no_notice_of_clocks() -> None:
    before = datetime(2026, 10, 24, 23, 30, tzinfo=UTC)
    found = list(parse_schedule("@every 1h", "Europe/Berlin").between(before, before + timedelta(hours=4)))
    assert found == [before + timedelta(hours=hour) for hour in (1, 2, 3, 4)]


def _field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    # croniter reads a span that ends where it begins as a star; cron reads it as one number.
    span = st.tuples(number, number).map(sorted).filter(lambda ends: ends[0] < ends[1])
    plain = span.map(lambda ends: f"{ends[0]}-{ends[1]}")
    stepped = st.tuples(plain, st.integers(1, 5)).map(lambda drawn: f"{drawn[0]}/{drawn[1]}")
    return st.lists(st.one_of(number.map(str), plain, stepped), min_size=1, max_size=3).map(",".join)


def _starred(low: int, high: int) -> st.SearchStrategy[str]:
    return st.one_of(st.just("*"), st.integers(2, 9).map(lambda step: f"*/{step}"), _field(low, high))


# At most one of the two day fields is set, because croniter and Debian's cron differ about two that are set.
_DAYS = st.one_of(
    st.just(("*", "*")), _field(1, 28).map(lambda day: (day, "*")), _field(0, 6).map(lambda day: ("*", day))
)
EXPRESSIONS = st.tuples(_starred(0, 59), _starred(0, 23), _DAYS, _starred(1, 12)).map(
    lambda drawn: f"{drawn[0]} {drawn[1]} {drawn[2][0]} {drawn[3]} {drawn[2][1]}"
)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))


@settings(max_examples=80, deadline=None)
@given(EXPRESSIONS, MOMENTS)
def test_the_next_occurrence_is_the_one_that_croniter_finds(text: str, moment: datetime) -> None:
    expected = croniter(text, moment).get_next(datetime)
    assert parse_schedule(text).next_after(moment) == expected


@settings(max_examples=40, deadline=None)
@given(
    EXPRESSIONS, st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "Africa/Cairo", "America/Havana"]), MOMENTS
)
def test_occurrences_only_ever_go_forward(text: str, zone: str, moment: datetime) -> None:
    schedule = parse_schedule(text, zone)
    found = [moment]
    for _ in range(5):
        found.append(schedule.next_after(found[-1]))
    assert all(earlier < later for earlier, later in pairwise(found))


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=30), st.text("0123456789*/,-LW#? @everydailymsh", max_size=20)))
def test_any_text_is_a_schedule_or_refused(text: str) -> None:
    try:
        assert parse_schedule(text).next_after(NOON) > NOON
    except InvalidRequest as refused:
        assert refused.sentence.isprintable()
