"""The deadline of a run: which signal is due, and whether the timeout or a cancel ended the run."""

from __future__ import annotations

import pytest

from norn_tasks.adapters.runtimes.deadline import Deadline


@pytest.mark.parametrize(("seconds", "cancelled"), [(0, False), (100, True)])
def test_only_time_makes_a_timeout(seconds: float, cancelled: bool) -> None:
    deadline = Deadline(seconds, grace=10)
    if cancelled:
        deadline.cancel()
    assert deadline.due() == "SIGTERM"
    deadline.sent("SIGTERM")
    assert (deadline.passed, deadline.cancelled, deadline.due()) == (not cancelled, cancelled, None)


def test_a_cancel_after_the_time_is_still_a_timeout() -> None:
    deadline = Deadline(0, grace=10)
    deadline.sent("SIGTERM")
    deadline.cancel()
    assert (deadline.passed, deadline.cancelled) == (True, False)
