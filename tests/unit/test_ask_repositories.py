"""A poll of repositories: each branch gets its result, even if the polls of others fail."""

from __future__ import annotations

from typing import Any, cast

from norn_tasks.domain.errors import SecretsLocked
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.jobs.requests import PolledBranch, PollJobRequest
from norn_tasks.domain.jobs.writes import BranchSeen
from norn_tasks.ports import Tools, Watch
from norn_tasks.steps.pushes.polling import AskRepositories
from norn_tasks.steps.step import StepContext
from tests.fakes.git import FakeGit
from tests.fakes.stop import FakeWatch

HERE, GONE, LOCKED = "https://git.example/here", "https://git.example/gone", "https://git.example/locked"


class GitWithALogin(FakeGit):
    """A git whose worker cannot open the token of one repository."""

    def newest(self, url: str, branch: str, watch: Watch) -> str | None:
        """Returns the commit of a branch."""
        if url == LOCKED:
            raise SecretsLocked("the token of a repository cannot be opened")
        return super().newest(url, branch, watch)


def test_each_branch_gets_its_answer() -> None:
    asked = (PolledBranch("gone", GONE, "main"), PolledBranch("locked", LOCKED, "main"))
    asked += (PolledBranch("here", HERE, "main"), PolledBranch("here", HERE, "old"))
    job = Job(id=1, request=PollJobRequest(asked), app="", spec=None, fence=Fence(1, 1))
    tools = cast(Tools, type("SomeTools", (), {"git": GitWithALogin({HERE: {"main": "2" * 40}})}))
    learned = AskRepositories().run(StepContext(job, tools, FakeWatch().watch, cast(Any, None)))
    assert learned is not None
    assert learned.writes == (
        BranchSeen("gone", "main", None, f"git could not read {GONE}: it is not there"),
        BranchSeen("locked", "main", None, "the token of a repository cannot be opened"),
        BranchSeen("here", "main", "2" * 40),
        BranchSeen("here", "old", None),
    )
    assert learned.note == "2 of 4 could not be read"
