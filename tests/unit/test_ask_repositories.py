"""A poll of repositories: the answer for each branch, whatever becomes of the others."""

from __future__ import annotations

from typing import Any, cast

from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.jobs.requests import PolledBranch, PollJobRequest
from norn_tasks.domain.jobs.writes import BranchSeen
from norn_tasks.ports import Tools
from norn_tasks.steps.pushes.polling import AskRepositories
from norn_tasks.steps.step import StepContext
from tests.fakes.git import FakeGit
from tests.fakes.stop import FakeWatch

HERE, GONE = "https://git.example/here", "https://git.example/gone"


def test_each_branch_gets_its_answer() -> None:
    asked = (PolledBranch("gone", GONE, "main"), PolledBranch("here", HERE, "main"), PolledBranch("here", HERE, "old"))
    job = Job(id=1, request=PollJobRequest(asked), app="", spec=None, fence=Fence(1, 1))
    tools = cast(Tools, type("SomeTools", (), {"git": FakeGit({HERE: {"main": "2" * 40}})}))
    learned = AskRepositories().run(StepContext(job, tools, FakeWatch().watch, cast(Any, None)))
    assert learned is not None
    assert learned.writes == (
        BranchSeen("gone", "main", None, f"git could not read {GONE}: it is not there"),
        BranchSeen("here", "main", "2" * 40),
        BranchSeen("here", "old", None),
    )
    assert learned.note == "1 of 3 could not be read"
