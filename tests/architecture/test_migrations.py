"""The migrations form one sequence: each has the number in its file's name, and follows the one before it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture.source import ROOT

VERSIONS = ROOT / "norn_tasks" / "store" / "migrations" / "versions"
_NUMBERS = re.compile(r'^revision = "(\d{4})"\ndown_revision = (?:"(\d{4})"|None)$', re.MULTILINE)


def misplaced(folder: Path) -> list[str]:
    """Returns the migrations whose number or predecessor is not the one that their place in the sequence requires."""
    wrong = []
    for number, path in enumerate(sorted(folder.glob("[0-9]*.py")), start=1):
        found = _NUMBERS.search(path.read_text())
        before = f"{number - 1:04}" if number > 1 else None
        if found is None or found.groups() != (f"{number:04}", before) or path.name[:4] != f"{number:04}":
            wrong.append(path.name)
    return wrong


def test_migrations_are_numbered_in_one_line() -> None:
    assert misplaced(VERSIONS) == []


@pytest.mark.parametrize(("name", "numbers"), [("0002_b.py", ("0002", "0000")), ("0001_b.py", ("0001", "0000"))])
def test_two_migrations_that_landed_with_one_number_are_caught(
    tmp_path: Path, name: str, numbers: tuple[str, str]
) -> None:
    (tmp_path / "0001_a.py").write_text('revision = "0001"\ndown_revision = None\n')
    (tmp_path / name).write_text(f'revision = "{numbers[0]}"\ndown_revision = "{numbers[1]}"\n')
    assert misplaced(tmp_path) == [name]
