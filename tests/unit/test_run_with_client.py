"""A one-off command with a client as a step: its end is sent to the client, and it ends when the client has left."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from norn_tasks.domain.errors import Stopped
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.execution import ContainerExit, ExecutionState, ExecutionVerdict
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.jobs.requests import ClientTerminal, RunJobRequest
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.ports import RunClient, Tools
from norn_tasks.steps.container import RunCommand
from norn_tasks.steps.step import StepContext
from tests.fakes.stop import FakeWatch
from tests.fakes.terminal import FakeTerminal

REQUEST = RunJobRequest(("sh",), 60, ClientTerminal(True, "xterm", (30, 100)))


class Played(RunCommand):
    """The step with a given end of its container, or a given reason to stop."""

    def __init__(self, end: ExecutionVerdict | Stopped) -> None:
        self._end = end

    def _finished(self, context: StepContext, client: RunClient | None = None) -> ExecutionVerdict:
        assert client is not None
        assert (client.tty, client.size) == (True, (30, 100))
        if isinstance(self._end, Stopped):
            raise self._end
        return self._end


def play(end: ExecutionVerdict | Stopped, reason: str | None = None) -> tuple[Learned, FakeTerminal]:
    watch, terminal = FakeWatch(), FakeTerminal()
    if reason is not None:
        watch.stop.set(reason)
    tools = SimpleNamespace(live=SimpleNamespace(terminal=lambda job, watch: terminal))
    job = Job(9, REQUEST, "web", None, Fence(9, 1), claims=1)
    learned = Played(end).run(StepContext(job, cast(Tools, tools), watch.watch, cast(Any, None)))
    assert learned is not None
    return learned, terminal


@pytest.mark.parametrize(
    ("state", "code", "sent"),
    [
        (ExecutionState.SUCCEEDED, 0, 0),
        (ExecutionState.FAILED, 3, 3),
        (ExecutionState.TIMED_OUT, 143, None),
        (ExecutionState.OOM_KILLED, 137, None),
        (ExecutionState.ERROR, None, None),
    ],
)
def test_the_client_gets_the_exit_code_unless_norn_ended_it(
    state: ExecutionState, code: int | None, sent: int | None
) -> None:
    learned, terminal = play(ExecutionVerdict(state, ContainerExit(code), "cause", "sentence"))
    assert (terminal.exit_code, learned.failed is None) == (sent, state is ExecutionState.SUCCEEDED)


@pytest.mark.parametrize(("reason", "code"), [(None, "reader_gone"), ("draining", "worker_draining")])
def test_it_ends_when_its_client_or_its_worker_leaves(reason: str | None, code: str) -> None:
    learned, _ = play(Stopped("the reading was stopped", reason="cancelled"), reason)
    assert learned.failed is not None
    assert learned.failed.code == code


@pytest.mark.parametrize("reason", ["cancelled", "lease_lost"])
def test_a_cancel_or_a_lost_lease_is_the_jobs(reason: str) -> None:
    with pytest.raises(Stopped):
        play(Stopped("stopped", reason=reason), reason)
