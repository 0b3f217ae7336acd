"""docs/reliability.md has a row for every column and every state; docs/security.md has each rule that is cited."""

from __future__ import annotations

import re

import pytest

from norn_tasks.domain.jobs.job import JobState
from norn_tasks.store.tables import JobRow
from tests.architecture.prose.text import read
from tests.architecture.source import ROOT, modules

PAGE = (ROOT / "docs" / "reliability.md").read_text()
RULES = re.findall(r"^## (\d+)\. ", (ROOT / "docs" / "security.md").read_text(), re.MULTILINE)
TABLES = {
    name: re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    for name, section in re.findall(r"^### `(\w+)`\n(.+?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
}
CITED = re.compile(r"docs/security\.md ((?:\d+)(?:, \d+)*)")


def test_the_central_tables_are_described() -> None:
    assert set(TABLES) >= {"jobs", "slots", "memory_held", "cron_ticks", "cron_gaps"}


@pytest.mark.parametrize("name", TABLES)
def test_each_column_of_a_table_has_its_row(name: str) -> None:
    assert TABLES[name] == [column.name for column in JobRow.metadata.tables[name].columns]


def test_each_state_of_a_job_has_its_row() -> None:
    life = PAGE[PAGE.index("## The life of a job") : PAGE.index("## The sweeper")]
    assert re.findall(r"^\| `(\w+)` \|", life, re.MULTILINE) == [str(state) for state in JobState]


def test_the_rules_of_security_are_numbered_from_one() -> None:
    assert [str(n) for n in range(1, len(RULES) + 1)] == RULES


def test_each_rule_that_is_cited_is_there() -> None:
    cited = {number for path in modules() for prose in read(path).prose for number in _numbers(prose.raw)}
    assert cited
    assert cited <= set(RULES)


def _numbers(text: str) -> list[str]:
    return [number for found in CITED.findall(text) for number in found.split(", ")]
