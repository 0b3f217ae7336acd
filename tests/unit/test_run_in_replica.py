"""A program in a replica as a step: it runs once, for a connected client, and its end is sent to that client."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from norn_tasks.domain.errors import Stopped
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.facts import ProgramExit
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.jobs.requests import ExecJobRequest
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.ports import ExecCommand, Terminal, Tools
from norn_tasks.steps.observation import RunInReplica
from norn_tasks.steps.step import StepContext
from tests.fakes.stop import FakeWatch
from tests.fakes.terminal import FakeTerminal

REQUEST = ExecJobRequest(("sh", "-l"), replica=2, tty=True, term="xterm", size=(30, 100))


class Sitting:
    """The step that runs a program in a replica for a client: the cluster calls `program` instead, and `asked` has the
    commands that it got.
    """

    def __init__(self, program: Callable[[Terminal], int], *, claims: int = 1) -> None:
        self.watch, self.terminal = FakeWatch(), FakeTerminal()
        self.asked: list[ExecCommand] = []
        self._program = program
        self._job = Job(9, REQUEST, "web", None, Fence(9, 1), claims=claims, cluster="docker")

    def run(self) -> Learned | None:
        """Runs the step."""
        live = SimpleNamespace(terminal=lambda job, watch: self.terminal)
        cluster = SimpleNamespace(execute=self._execute)
        tools = SimpleNamespace(live=live, clusters={"docker": cluster}, limits=SimpleNamespace(instance="abc123"))
        return RunInReplica().run(StepContext(self._job, cast(Tools, tools), self.watch.watch, cast(Any, None)))

    def _execute(self, command: ExecCommand, terminal: Terminal) -> int:
        self.asked.append(command)
        return self._program(terminal)


def _leaves(_: Terminal) -> int:
    raise Stopped("the reading was stopped", reason="cancelled")


def test_its_exit_code_is_learned_and_told() -> None:
    sitting = Sitting(lambda _: 3)
    learned = sitting.run()
    assert learned is not None
    assert (learned.facts, learned.failed, sitting.terminal.exit_code) == ((ProgramExit(3),), None, 3)


def test_the_cluster_is_asked_for_exactly_what_was_asked_for() -> None:
    sitting = Sitting(lambda _: 0)
    sitting.run()
    assert sitting.asked == [ExecCommand("web", ("sh", "-l"), "9-abc123", 2, True, "xterm", (30, 100))]


def test_after_a_worker_died_with_it_it_is_not_run_again() -> None:
    sitting = Sitting(lambda _: 0, claims=2)
    learned = sitting.run()
    assert learned is not None and learned.failed is not None
    assert (learned.failed.code, sitting.asked) == ("worker_lost", [])


@pytest.mark.parametrize(("reason", "code"), [(None, "reader_gone"), ("draining", "worker_draining")])
def test_an_end_before_its_own_is_the_jobs_end_too(reason: str | None, code: str) -> None:
    """The job ends too: if it were handed back, another worker would run the program once more."""
    sitting = Sitting(_leaves)
    if reason is not None:
        sitting.watch.stop.set(reason)
    learned = sitting.run()
    assert learned is not None and learned.failed is not None
    assert learned.failed.code == code


def test_who_cancels_the_job_ends_it_as_cancelled() -> None:
    sitting = Sitting(_leaves)
    sitting.watch.stop.set("cancelled")
    with pytest.raises(Stopped):
        sitting.run()
