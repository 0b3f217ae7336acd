"""The commit with which a push is compared: the one that git returns after the host has received the push."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from norn_tasks.domain.errors import Stopped
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.jobs.requests import PushJobRequest
from norn_tasks.ports import Tools, Watch
from norn_tasks.steps.pushes.comparison import ComparePush
from norn_tasks.steps.step import StepContext
from tests.fakes.git import FakeGit
from tests.fakes.stop import FakeStop

URL = "https://git.example/blog.git"
BEFORE, AFTER = "1" * 40, "2" * 40


class Waits(FakeStop):
    """A stop whose waits end immediately; `during` is called in each with the number of waits until then."""

    def __init__(self, during: Callable[[int], object]) -> None:
        super().__init__()
        self._during, self.seconds = during, 0.0
        self._count = 0

    def wait(self, seconds: float) -> bool:
        self.seconds += seconds
        self._count += 1
        self._during(self._count)
        return self.reason is not None


class FakeDeploys:
    """A fake of `ports.Deploys`: each request gets the job 7."""

    def deploy(self, app: str, revision: str, job: int) -> int:
        return 7


def compare(git: FakeGit, stop: FakeStop, before: str | None = BEFORE) -> str:
    """Runs the step for a push to main; returns its note."""
    job = Job(id=1, request=PushJobRequest(URL, "main", before, AFTER), app="blog", spec=None, fence=Fence(1, 1))
    tools = cast(Tools, type("SomeTools", (), {"git": git, "deploys": FakeDeploys()}))
    learned = ComparePush().run(StepContext(job, tools, Watch(job.fence, [].append, stop), cast(Any, None)))
    assert learned is not None
    return learned.note


@pytest.mark.parametrize("before", [BEFORE, None])
def test_a_host_that_shows_the_push_late_is_asked_again(before: str | None) -> None:
    git = FakeGit({URL: {} if before is None else {"main": before}})
    stop = Waits(lambda count: git.point(URL, "main", AFTER) if count == 3 else None)
    assert compare(git, stop, before) == f"job 7 deploys {AFTER[:12]}"


def test_a_push_that_was_taken_back_is_skipped_after_twenty_seconds() -> None:
    stop = Waits(lambda _: None)
    note = compare(FakeGit({URL: {"main": BEFORE}}), stop)
    assert (note, stop.seconds) == (f"skipped: main is at {BEFORE[:12]}, and a later push decides", 20.0)


def test_a_later_push_is_seen_at_once() -> None:
    stop = Waits(lambda _: None)
    note = compare(FakeGit({URL: {"main": "3" * 40}}), stop)
    assert (note, stop.seconds) == ("skipped: main is at 333333333333, and a later push decides", 0.0)


def test_a_cancelled_job_does_not_wait() -> None:
    stop = Waits(lambda _: stop.set("cancelled"))
    with pytest.raises(Stopped):
        compare(FakeGit({URL: {"main": BEFORE}}), stop)
    assert stop.seconds == 2.0
