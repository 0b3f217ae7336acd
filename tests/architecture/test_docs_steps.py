"""docs/steps.md has a row for each step, with the kinds of job that take it, and no row for any other."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from norn_tasks.domain.infraspec import LONG_RUNNING, Role
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import Fence, JobKind
from norn_tasks.domain.jobs.requests import DeployJobRequest, ForgeJobRequest, ImageSource, ObserveJobRequest
from norn_tasks.pipelines import PIPELINES
from tests import factories

PAGE = (Path(__file__).parents[2] / "docs" / "steps.md").read_text()
ROWS = {name: (about, kinds) for name, about, kinds in re.findall(r"^\| `([\w-]+)` \| (.+) \| (.+) \|$", PAGE, re.M)}

RESCALES = (JobKind.RESTART, JobKind.SCALE, JobKind.REPAIR)
"""These kinds of job are refused for a role that has no permanent replicas."""

PULLING = DeployJobRequest(ImageSource("nginx:1"), None)
"""A deploy of an existing image, which Norn does not build."""

LOOKING = (ObserveJobRequest(tunnel=True), ObserveJobRequest(databases=True))
MOVING = ForgeJobRequest(None, move_from=factories.CLUSTER)
FETCHING = ObserveJobRequest(access=True)
ENDING = ObserveJobRequest(drained=True)


def taken() -> dict[str, list[str]]:
    """Returns every step of every pipeline with the kinds of job that run it; a forced forge counts as a kind of its
    own.
    """
    steps: dict[str, list[str]] = {}
    for kind, pipeline in PIPELINES.items():
        for force in (False, True) if kind is JobKind.FORGE else (False,):
            word = f"{kind} --force" if force else str(kind)
            for role, cluster in product(LONG_RUNNING if kind in RESCALES else Role, (None, factories.CLUSTER)):
                request = factories.request(kind, force=force, purge=True)
                spec = factories.spec("blog", role)
                job = Job(1, request, "blog", spec, Fence(1, 1), cluster=cluster)
                others = (replace(job, request=each) for each in (PULLING, *LOOKING, FETCHING, ENDING, MOVING))
                jobs = (job, replace(job, deployment=1), *others)
                for step in (step for each in jobs if each.request.kind is kind for step in pipeline(each)):
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
