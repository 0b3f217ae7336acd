"""The meaning of a container's end: each kind has a state, a cause, a sentence and a hint."""

from __future__ import annotations

import pytest

from norn_tasks.domain.jobs.execution import (
    OF_A_CALL,
    OF_A_COMMAND,
    OF_A_RUN,
    ContainerExit,
    ExecutionState,
    Fields,
    judge,
)

MEMORY = 16 * 2**20
ENDS = [
    (ContainerExit(0), "succeeded", ""),
    (ContainerExit(0, oom_killed=True), "oom_killed", "oom_killed"),
    (ContainerExit(3), "failed", "exit"),
    (ContainerExit(125), "error", "infrastructure"),
    (ContainerExit(None), "error", "infrastructure"),
    (ContainerExit(126), "failed", "not_runnable"),
    (ContainerExit(127), "failed", "not_runnable"),
    (ContainerExit(139), "failed", "signalled"),
    (ContainerExit(137), "failed", "signalled"),
    (ContainerExit(137, oom_killed=True), "oom_killed", "oom_killed"),
    (ContainerExit(137, interrupted=True), "error", "engine_restarted"),
    (ContainerExit(137, timed_out=True), "timed_out", "timed_out"),
    (ContainerExit(137, too_large=True), "failed", "output_too_large"),
]


@pytest.mark.parametrize(("ended", "state", "cause"), ENDS, ids=str)
def test_each_end_has_its_state_and_cause(ended: ContainerExit, state: str, cause: str) -> None:
    finished = judge(ended, timeout=5, memory=MEMORY, output=10)
    assert (str(finished.state), finished.cause) == (state, cause)
    assert bool(finished.sentence) is (finished.state is not ExecutionState.SUCCEEDED)


@pytest.mark.parametrize(
    ("fields", "way"),
    [(OF_A_RUN, "resources.memory"), (OF_A_CALL, "function.memory"), (OF_A_COMMAND, "resources.memory")],
    ids=["run", "call", "command"],
)
def test_a_kill_that_nobody_explains_names_the_memory_as_what_to_look_at(fields: Fields, way: str) -> None:
    finished = judge(ContainerExit(137), timeout=5, memory=MEMORY, fields=fields)
    assert finished.sentence == "it was ended by signal 9 (SIGKILL)"
    assert finished.hint == f"if 16 MiB of memory were not enough, raise {way} in its infraspec.yaml"
