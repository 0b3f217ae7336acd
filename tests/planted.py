"""Adds a deliberate bug to a copy of the source tree, and runs the test there that should catch it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.architecture.source import ROOT

_LEFT_OUT = (".venv", ".git", ".norn", "node_modules", "__pycache__")


@dataclass(frozen=True)
class Bug:
    """A bug: a text in one file that is replaced by another, and the test that must fail then."""

    name: str
    file: str
    good: str
    bad: str
    caught_by: str


def copy_tree(place: Path) -> Path:
    """Copies the tree without files that are not source."""
    shutil.copytree(ROOT, place, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    return place


def plant(place: Path, bug: Bug) -> None:
    """Replaces the correct text by the wrong one."""
    path = place / bug.file
    source = path.read_text()
    assert bug.good in source, f"{bug.name}: {bug.file} has changed; plant it again"
    path.write_text(source.replace(bug.good, bug.bad))


def run_tests(place: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    """Runs tests in a copy."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        cwd=place, env=environment | {"PYTHONPATH": str(place)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def require_caught(place: Path, *bugs: Bug) -> None:
    """Fails unless the test of each bug fails in the copy, and does so by an assertion."""
    done = run_tests(place, *(bug.caught_by for bug in bugs))
    assert done.returncode == 1, done.stdout[-3000:]
    uncaught = [bug.name for bug in bugs if f"FAILED {bug.caught_by}" not in done.stdout]
    assert uncaught == [], done.stdout[-3000:]
    asserted = re.findall(r"^E   +([Aa]ssert|Failed: DID NOT RAISE)", done.stdout, re.MULTILINE)
    assert len(asserted) >= len(bugs), done.stdout[-3000:]
