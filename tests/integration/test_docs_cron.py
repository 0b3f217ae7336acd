"""The table of docs/cron.md about an outage names the rows that an outage really leaves behind."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from norn_tasks.domain.infraspec import Catchup
from norn_tasks.store.database.session import Database
from tests.cron_kit import MINUTE, Cron

PAGE = (Path(__file__).parents[2] / "docs" / "cron.md").read_text()
ROWS = re.findall(r"^\| `(none|last|all)`[^|]* \| ([^:|]+):", PAGE, re.MULTILINE)


def test_each_policy_is_told() -> None:
    assert [policy for policy, _ in ROWS] == list(Catchup)


@pytest.mark.parametrize(("policy", "rows"), ROWS)
def test_an_outage_leaves_the_rows_that_the_page_tells(database: Database, policy: str, rows: str) -> None:
    cron = Cron(database)
    late = 10 * MINUTE
    cron.add("report", f"{(cron.now() - late).minute} * * * *", f"catchup: {policy}")
    cron.outage("report", timedelta(hours=3) + late - timedelta(seconds=30))
    cron.round()
    told = [verdict + (f" ×{how_many}" if how_many > 1 else "") for verdict, how_many in cron.verdicts()]
    assert told == re.findall(r"`([^`]+)`", rows)
