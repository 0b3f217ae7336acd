"""docs/cron.md: its infraspecs are accepted without a warning, its times agree with the code, and so do its terms."""

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

from norn_tasks.domain.alerting.alert import SEVERITIES, AlertKind
from norn_tasks.domain.alerting.destination import NotificationFormat
from norn_tasks.domain.alerting.notification import Parcel
from norn_tasks.domain.cron.description import described
from norn_tasks.domain.cron.expression import parse_schedule
from norn_tasks.domain.infraspec import Role, notices, parse
from norn_tasks.domain.schedule import Verdict
from norn_tasks.domain.secret import Sealed, Secret

ALERTS = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text()
PAGE = (Path(__file__).parents[2] / "docs" / "cron.md").read_text()
PARCEL = Parcel(
    "abc-7", "alert.raised", "https://hooks.example/", Sealed("ops", 1, b""), {"app": "blog"}, 1_700_000_000
)
FAR = datetime(2999, 1, 1, tzinfo=UTC)


def blocks(kind: str) -> list[str]:
    """Returns the code blocks of a kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def rows(heading: str, page: str = PAGE) -> list[str]:
    """Returns the first cell of each row of the table below a heading."""
    table = page.partition(heading)[2].partition("\n## ")[0]
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
    coming = described(schedule, islice(schedule.between(begin, FAR, begin), len(lines)), begin)
    assert [f"{one.local} {one.offset}  {one.note}".rstrip() for one in coming] == lines


def test_there_are_examples() -> None:
    assert len(blocks("yaml")) >= 2
    assert len(blocks("next")) >= 5


def test_each_verdict_is_explained_and_no_other() -> None:
    assert sorted(rows("## Verdicts")) == sorted(Verdict)


def test_each_kind_of_alert_is_explained_and_no_other() -> None:
    of_apps = [row for heading in ("## Webservers and workers", "## The server") for row in rows(heading, ALERTS)]
    assert sorted([*rows("## Alerts"), *of_apps]) == sorted(AlertKind)


def test_each_alert_has_the_severity_that_the_page_names() -> None:
    table = ALERTS.partition("## Severity")[2].partition("\n## ")[0]
    lines = {severity: re.findall(r"`([^`]+)`", kinds) for severity, kinds in re.findall(
        r"^\| `(critical|warning)` \|[^|]*\|([^|]*)\|$", table, re.MULTILINE)}  # fmt: skip
    assert {kind: severity for severity, kinds in lines.items() for kind in kinds} == SEVERITIES


def test_each_format_is_in_the_table_of_the_page() -> None:
    assert sorted(rows("## Receivers", ALERTS)) == sorted(NotificationFormat)


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
