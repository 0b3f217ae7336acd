"""When the container of a run is removed at the end of its owner's block, and when it is left for the next owner."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from norn_tasks.adapters.runtimes.ownership import owned
from norn_tasks.domain.errors import Stopped
from norn_tasks.ports import Run
from tests.fakes.stop import FakeWatch

LASTING = Run(
    name="norn-x-1", app="a", owner="execution:1", image="i", argv=None, env={}, timeout=1, memory=1, cpus=1
)  # fmt: skip


def attempts(reason: str, *, begun: bool, removed: Iterator[bool], patience: float = float("inf")) -> int:
    """Returns how often the removal of a run's container was tried after its owner stopped for this reason."""
    watch, made = FakeWatch(), []

    def discard() -> bool:
        made.append(reason)
        return next(removed)

    with pytest.raises(Stopped), owned(LASTING, watch.watch, lambda: begun, discard, patience=patience):
        watch.stop.set(reason)
        watch.stop.check()
    return len(made)


@pytest.mark.parametrize("reason", ["draining", "lease_lost"])
def test_a_run_that_has_begun_is_left_to_the_next_owner(reason: str) -> None:
    assert LASTING.outlives_owner
    assert attempts(reason, begun=True, removed=iter(())) == 0
    assert attempts(reason, begun=False, removed=iter([True])) == 1


def test_a_cancelled_run_is_removed_until_that_succeeds() -> None:
    assert attempts("cancelled", begun=True, removed=iter([False, True])) == 2


def test_a_cancelled_run_does_not_wait_longer_than_its_patience() -> None:
    assert attempts("cancelled", begun=True, removed=iter([False]), patience=-1) == 1


def test_a_run_that_has_ended_is_removed_once() -> None:
    made: list[bool] = []
    with owned(LASTING, FakeWatch().watch, lambda: True, lambda: bool(made.append(True))):
        assert made == []
    assert made == [True]
