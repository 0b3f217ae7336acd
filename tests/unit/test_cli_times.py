"""Times in the form in which the CLI prints them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from norn_cli.display.times import ago, between, duration, local

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0, "0.0 s"),
        (0.42, "0.4 s"),
        (9.96, "10 s"),
        (41.2, "41 s"),
        (185, "3 min 5 s"),
        (7800, "2 h 10 min"),
    ],
)
def test_lengths_of_time(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("when", "text"),
    [
        (None, ""),
        ("2026-11-23T12:00:00Z", "now"),
        ("2026-11-23T11:59:30Z", "30 s ago"),
        ("2026-11-23T11:57:00Z", "3 min ago"),
        ("2026-11-23T17:00:00Z", "in 5 h"),
        ("2026-11-20T12:00:00+00:00", "3 d ago"),
    ],
)
def test_how_far_away(when, text):
    assert ago(when, NOW) == text


def test_a_time_in_its_zone():
    assert local("2026-11-24T08:00:00Z", "Europe/Berlin") == "2026-11-24 09:00:00 Europe/Berlin"


@pytest.mark.parametrize("zone", ["Middle/Earth", "../../etc/passwd", "/etc/passwd", ""])
def test_a_zone_that_is_none_is_utc(zone):
    assert local("2026-11-24T08:00:00Z", zone) == "2026-11-24 08:00:00 UTC"


def test_what_has_not_ended_took_no_time():
    assert between("2026-11-24T08:00:00Z", None) == ""
