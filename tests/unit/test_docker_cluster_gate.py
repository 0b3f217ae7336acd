"""The health check of a new replica: when it is repeated, and when the replica has passed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from norn_tasks.adapters.docker_cluster.gate import Trial
from norn_tasks.adapters.docker_cluster.probe import Knock
from norn_tasks.adapters.docker_cluster.world import ReplicaContainer

WELL, SILENT, UNWELL = Knock(True), Knock(False), Knock(False, "answered 500")
NOW = datetime(2026, 11, 30, tzinfo=UTC)


def tries(knock: Knock, seconds: float) -> int:
    """Returns how often a replica that always responds in this way is checked within this many seconds."""
    trial, now, count = Trial(0, seconds), 0.0, 0
    while now < seconds:
        count += 1
        trial.passes(knock, now)
        now = trial.next_try
    return count


def test_an_app_that_answers_badly_finds_few_requests_in_its_log() -> None:
    assert tries(UNWELL, 120) < 32


def test_a_port_that_nobody_listens_on_is_tried_often_since_no_app_notices() -> None:
    assert tries(SILENT, 120) == 480


def test_a_replica_that_must_stay_up_passes_when_it_is_still_well_after_that_time() -> None:
    trial = Trial(10, 120)
    assert [trial.passes(WELL, now) for now in (0, 9.9, 10)] == [False, False, True]


def test_a_replica_that_is_well_again_begins_anew() -> None:
    trial = Trial(10, 120)
    told = [(WELL, 0), (SILENT, 10), (WELL, 11), (WELL, 20), (WELL, 21)]
    assert [trial.passes(knock, now) for knock, now in told] == [False, False, False, False, True]


@pytest.mark.parametrize(
    ("start", "restarts", "restarted"), [(NOW, 2, False), (NOW, 3, True), (NOW + timedelta(seconds=1), 2, True)]
)
def test_a_restart_is_one_since_the_first_look(start: datetime, restarts: int, restarted: bool) -> None:
    trial = Trial(10, 120)
    assert not trial.restarted(replaced(NOW, 2))
    assert trial.restarted(replaced(start, restarts)) is restarted


def replaced(start: datetime, restarts: int) -> ReplicaContainer:
    """Returns the replica as an observation shows it, with this start and this number of restarts."""
    return ReplicaContainer("c1", "blog", 1, 1, 1, "running", started_at=start, restarts=restarts)
