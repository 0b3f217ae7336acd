"""The thread that collects logs starts again after an error, and leaves nothing of the failed attempt running."""

from __future__ import annotations

import pytest

from norn_tasks.worker import log_collection
from norn_tasks.worker.log_collection import Collector, LogCollection


class _Failing:
    def __init__(self) -> None:
        self.stopped = False

    def run(self) -> None:
        """Fails."""
        raise RuntimeError("unexpected")

    def stop(self) -> None:
        """Records the call."""
        self.stopped = True


def test_a_collector_that_fails_is_stopped_before_another_one_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_collection, "_AGAIN", 0.0)
    made: list[_Failing] = []
    running: list[bool] = []

    def another() -> Collector:
        running.extend(not each.stopped for each in made)
        if len(made) == 2:
            raise SystemExit
        made.append(_Failing())
        return made[-1]

    with pytest.raises(SystemExit):
        LogCollection(another)._run()
    assert running == [False] * 3
