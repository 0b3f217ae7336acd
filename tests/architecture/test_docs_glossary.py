"""docs/glossary.md has 35 words, each once, with a class, table or column that exists."""

from __future__ import annotations

import re

import pytest

from norn_tasks.store.tables import JobRow
from tests.architecture.prose.text import read
from tests.architecture.source import ROOT, modules

PAGE = (ROOT / "docs" / "glossary.md").read_text()
ROWS = re.findall(r"^\| \*\*([\w -]+)\*\* \| (.+) \| (.+) \|$", PAGE, re.MULTILINE)
WORDS = (
    "app, forge, release, deployment, generation, replica, gate, engine, home engine, cluster, edge, instance, "
    "fleet, job, class, kind, claim, lease, fence, slot, owner, keeper, occurrence, tick, verdict, gap, execution, "
    "run, call, one-off, nest, drill, override, wake-up, observation"
)


def test_each_word_has_its_row() -> None:
    assert ", ".join(word for word, _, _ in ROWS) == WORDS


@pytest.mark.parametrize(("word", "meaning", "code"), ROWS)
def test_a_row_is_one_sentence_and_names_what_is_in_the_code(word: str, meaning: str, code: str) -> None:
    assert meaning.count(". ") == 0 and meaning.endswith(".")
    assert code in names(), word


def names() -> set[str]:
    """Returns everything that the last column of a row may contain: all columns, tables and classes."""
    tables = JobRow.metadata.tables.values()
    columns = {f"column `{table.name}.{column.name}`" for table in tables for column in table.columns}
    classes = {f"`{name}`" for path in modules() for name, _ in read(path).classes}
    return columns | {f"table `{table.name}`" for table in tables} | classes
