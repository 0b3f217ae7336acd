"""docs/errors.md has exactly one row for every code of an error, and for every word in which a failed job or run
reports its cause.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from norn_tasks.domain.errors import NornError

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "errors.md").read_text()
CODES = {code: (status, hint) for code, status, hint in re.findall(
    r"^\| `(\w+)` \| ([\d(), –]+) \| .+ \| (.+) \|$", PAGE, re.MULTILINE)}  # fmt: skip
ENDS = set(re.findall(r"^\| `(\w+)` \| [^|]+ \|$", PAGE, re.MULTILINE))
INSIDE = {"error", "lease_lost", "stopped"}
"""The code of the base class, and codes that no response, job or run ever has."""

SOURCES = [path for package in ("norn_tasks", "norn_api") for path in (ROOT / package).rglob("*.py")]


def errors() -> Iterator[type[NornError]]:
    """Yields every class of error, after importing each module that defines one."""
    for path in SOURCES:
        if re.search(r"^    code(, status)? = ", path.read_text(), re.MULTILINE):
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    todo = [NornError]
    while todo:
        kind = todo.pop()
        todo += [each for each in kind.__subclasses__() if each.__module__.startswith(("norn_tasks.", "norn_api."))]
        yield kind


TOLD = sorted({(kind.code, kind.status) for kind in errors() if kind.code not in INSIDE})


@pytest.mark.parametrize(("code", "status"), TOLD)
def test_each_code_has_its_row_with_its_status_and_a_way_out(code: str, status: int) -> None:
    assert code in CODES, f"docs/errors.md has no row for {code}"
    statuses, hint = CODES[code]
    assert str(status) in statuses or statuses == "–", f"docs/errors.md tells {code} with {statuses}, not {status}"
    assert hint not in ("", "–"), f"docs/errors.md has no way out for {code}"


def test_the_page_names_no_code_that_is_not_there() -> None:
    assert set(CODES) - {code for code, _ in TOLD} == set()


def test_each_end_of_a_job_or_run_is_told_and_no_other() -> None:
    text = "\n".join(path.read_text() for path in SOURCES)
    problems = re.findall(r"\bProblem\(\s*\"(\w+)\"", text)
    causes = re.findall(r"_bad\(\s*ended, ExecutionState\.\w+, \"(\w+)\"", text)
    assert set(problems) | set(causes) == ENDS
