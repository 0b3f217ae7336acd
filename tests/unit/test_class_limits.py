"""A worker of several classes takes no wake-up of a class whose slots are all in use."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from celery.worker import state

from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.tasks.consumer import limit, open_queues

ALL = [str(each) for each in JobClass]


@pytest.fixture
def taken() -> Iterator[list[SimpleNamespace]]:
    """The requests taken by a worker that has two slots for calls and one for each other class."""
    limit({JobClass.INVOKE: 2, JobClass.CRON: 1, JobClass.DEPLOY: 1, JobClass.OBSERVE: 1})
    requests: list[SimpleNamespace] = []
    yield requests
    limit({})
    state.reserved_requests.clear()


def take(taken: list[SimpleNamespace], queue: str) -> None:
    request = type("Request", (SimpleNamespace,), {"__hash__": object.__hash__})(delivery_info={"routing_key": queue})
    taken.append(request)
    state.reserved_requests.add(request)


def test_an_idle_worker_reads_every_queue_in_turn(taken: list[SimpleNamespace]) -> None:
    assert open_queues([*ALL[1:], ALL[0]]) == [*ALL[1:], ALL[0]]


def test_a_full_class_is_left_to_other_workers_and_the_rest_is_read(taken: list[SimpleNamespace]) -> None:
    take(taken, "deploy")
    take(taken, "invoke")
    assert open_queues(ALL) == ["invoke", "cron", "observe"]
    take(taken, "invoke")
    assert open_queues(ALL) == ["cron", "observe"]


def test_a_class_is_read_again_when_a_job_has_ended(taken: list[SimpleNamespace]) -> None:
    take(taken, "cron")
    assert "cron" not in open_queues(ALL)
    taken.clear()
    assert "cron" in open_queues(ALL)
