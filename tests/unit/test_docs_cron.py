"""docs/cron.md: its infraspecs are accepted without a word, its times are the calendar's, its words are the code's."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from norn_tasks.domain.alert import AlertKind
from norn_tasks.domain.cron import parse_schedule
from norn_tasks.domain.cron_told import told
from norn_tasks.domain.infraspec import Role, notices, parse
from norn_tasks.domain.notification import Parcel
from norn_tasks.domain.schedule import Verdict
from norn_tasks.domain.secret import Sealed, Secret

PAGE = (Path(__file__).parents[2] / "docs" / "cron.md").read_text()
PARCEL = Parcel(
    "abc-7", "alert.raised", "https://hooks.example/", Sealed("ops", 1, b""), {"app": "blog"}, 1_700_000_000
)
FAR = datetime(2999, 1, 1, tzinfo=UTC)


def blocks(kind: str) -> list[str]:
    """Answers the fenced blocks of a kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def rows(heading: str) -> list[str]:
    """Answers the first cell of each row of the table below a heading."""
    table = PAGE.partition(heading)[2].partition("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)


@pytest.mark.parametrize("text", blocks("yaml"))
def test_each_infraspec_is_accepted_without_a_word(text: str) -> None:
    spec = parse(text)
    assert (spec.role, notices(spec)) == (Role.CRON, ())


@pytest.mark.parametrize("text", blocks("next"))
def test_each_table_of_times_is_what_the_calendar_says(text: str) -> None:
    first, *lines = text.splitlines()
    written, zone, start = re.split(r" {2,}", first)
    begin = datetime.fromisoformat(start.removeprefix("from ")).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    schedule = parse_schedule(written, zone)
    coming = told(schedule, islice(schedule.between(begin, FAR, begin), len(lines)), begin)
    assert [f"{one.local} {one.offset}  {one.note}".rstrip() for one in coming] == lines


def test_there_are_examples() -> None:
    assert len(blocks("yaml")) >= 2
    assert len(blocks("next")) >= 5


def test_each_verdict_is_explained_and_no_other() -> None:
    assert sorted(rows("## What became of it")) == sorted(Verdict)


def test_each_kind_of_alert_is_explained_and_no_other() -> None:
    assert sorted(rows("## Alerts")) == sorted(AlertKind)


def test_the_receivers_lines_check_what_is_sent() -> None:
    (lines,) = blocks("python")
    known: dict[str, Any] = {"hashlib": hashlib, "hmac": hmac}
    exec(lines, known)
    headers = PARCEL.headers(Secret("whsec_x"))
    assert known["comes_from_norn"]("whsec_x", headers, PARCEL.content())
    assert not known["comes_from_norn"]("whsec_x", headers, PARCEL.content() + b" ")


def test_each_header_is_explained_and_no_other() -> None:
    sent = PARCEL.headers(Secret("whsec_x"))
    assert sorted(rows("## Notifications")) == sorted(name for name in sent if name.startswith("X-"))
