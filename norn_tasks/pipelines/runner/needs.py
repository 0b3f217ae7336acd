"""The parts of a worker process that a runner needs: the ledger, the stop of a job, the logs of steps, and the
tools.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from norn_tasks.domain.jobs.container import ContainerRef
from norn_tasks.domain.jobs.deployment import DeploymentState
from norn_tasks.domain.jobs.execution import ContainerExit
from norn_tasks.domain.jobs.facts import Facts
from norn_tasks.domain.jobs.job import Fence, JobKind, JobState, Problem
from norn_tasks.domain.jobs.step import StepEnd, StepPosition, StepState
from norn_tasks.pipelines import PIPELINES, Pipeline
from norn_tasks.pipelines.failpoints import FailpointHook, inert
from norn_tasks.ports import Stop, Tools


class JobLedger(Protocol):
    """The part of the ledger that the runner needs (`store.ledger.ledger.Ledger`)."""

    def steps(self, fence: Fence) -> dict[str, StepState]: ...
    def plan(self, fence: Fence, names: list[str]) -> None: ...
    def begin_step(
        self, fence: Fence, place: StepPosition, stage: DeploymentState | None, *, once: bool = False
    ) -> None: ...
    def end_step(self, fence: Fence, place: StepPosition, end: StepEnd, *, run_of: JobKind | None = None) -> Facts: ...
    def finish(
        self,
        fence: Fence,
        state: JobState,
        problem: Problem | None = None,
        *,
        returns: bool = False,
        ended: ContainerExit | None = None,
    ) -> None: ...
    def hand_back(self, fence: Fence, *, adopt: bool, postponed: bool = False) -> None: ...
    def record_container(self, fence: Fence, container: ContainerRef) -> None: ...
    def begin_code(self, fence: Fence, before: int, container: ContainerRef | None = None) -> None: ...
    def take_back_run(self, fence: Fence) -> int: ...
    def check(self, fence: Fence) -> None: ...


class RunnerStop(Stop, Protocol):
    """The stop of a job, which a draining worker sets."""

    def spare(self, seconds: float) -> None:
        """Lets the job continue for these seconds after its worker began to drain, if its class would allow fewer."""


class StepSink(Protocol):
    """Receives a step's output: a call of the object passes on stdout, and `err` passes on stderr."""

    def __call__(self, text: str, /) -> None: ...
    def err(self, text: str) -> None: ...


class OpenStepLog(Protocol):
    """Opens the log of a step. Output inside the block is stored with the job's token."""

    def __call__(self, fence: Fence, step: str) -> AbstractContextManager[StepSink]: ...


@dataclass(frozen=True)
class RunnerParts:
    """The parts of a worker process that all its jobs share."""

    ledger: JobLedger
    tools: Tools
    output: OpenStepLog
    reach: FailpointHook = inert
    pipelines: Mapping[JobKind, Pipeline] = field(default_factory=lambda: PIPELINES)
