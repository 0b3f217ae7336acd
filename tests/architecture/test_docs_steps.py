"""docs/steps.md has a row for each step, with the kinds of job that take it, and no row for any other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from norn_tasks.dispatch import LONG_RUNNING
from norn_tasks.domain.infraspec import Role
from norn_tasks.domain.job import Fence, Job, JobKind
from norn_tasks.pipelines import PIPELINES
from tests import factories

PAGE = (Path(__file__).parents[2] / "docs" / "steps.md").read_text()
ROWS = {name: (about, kinds) for name, about, kinds in re.findall(r"^\| `([\w-]+)` \| (.+) \| (.+) \|$", PAGE, re.M)}

RESCALES = (JobKind.RESTART, JobKind.SCALE, JobKind.REPAIR)
"""Refused for what does not stay running."""


def taken() -> dict[str, list[str]]:
    """Answers every step of every pipeline with the kinds of job that take it; a forced forge has its own."""
    steps: dict[str, list[str]] = {}
    for kind, pipeline in PIPELINES.items():
        for force in (False, True) if kind is JobKind.FORGE else (False,):
            word = f"{kind} --force" if force else str(kind)
            for role in LONG_RUNNING if kind in RESCALES else Role:
                job = Job(1, kind, "blog", factories.spec("blog", role), Fence(1, 1), args={"force": force})
                for step in pipeline(job):
                    kinds = steps.setdefault(step.name, [])
                    if not {word, str(kind)} & set(kinds):
                        kinds.append(word)
    return steps


TAKEN = taken()


@pytest.mark.parametrize("name", TAKEN)
def test_each_step_has_its_row_with_the_kinds_of_job_that_take_it(name: str) -> None:
    assert name in ROWS, f"docs/steps.md has no row for {name}"
    assert ROWS[name][1] == ", ".join(TAKEN[name])


def test_the_page_names_no_step_that_is_not_there() -> None:
    assert set(ROWS) - set(TAKEN) == set()
