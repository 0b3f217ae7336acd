"""Wake-up messages: sending takes a limited time if the broker refuses or freezes, lost ones are repeated, and they
never accumulate.
"""

from __future__ import annotations

import base64
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from norn_tasks.celery_app import ENOUGH, WORK, Waker, create
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.scheduler.lost_wakeups import LostWakeups
from norn_tasks.store.queue.readiness import ReadyWork
from tests import factories
from tests.servers import Broker


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker that this test may freeze."""
    broker = Broker(tmp_path / "broker")
    yield broker
    broker.process.send_signal(signal.SIGCONT)
    broker.stop()


def _seconds(waker: Waker) -> float:
    start = time.monotonic()
    assert waker.wake(JobClass.INVOKE) is False
    return time.monotonic() - start


def test_a_frozen_broker_costs_a_fraction_of_a_second_once(own_broker: Broker) -> None:
    waker = Waker(own_broker.url)
    assert waker.wake(JobClass.INVOKE)
    own_broker.process.send_signal(signal.SIGSTOP)
    assert _seconds(waker) < 1
    assert _seconds(waker) < 0.05
    assert waker.broken


def test_a_refusing_broker_costs_a_fraction_of_a_second() -> None:
    assert _seconds(Waker(factories.NOWHERE)) < 1.5


def test_a_broker_that_forgot_everything_takes_the_next_message(broker: Broker) -> None:
    waker = Waker(broker.url)
    waker.wake(JobClass.INVOKE)
    broker.client().flushall()
    assert waker.wake(JobClass.INVOKE)
    assert broker.client().llen("invoke") == 1
    broker.client().flushall()


def test_a_flood_leaves_no_more_wakeups_than_workers_need(broker: Broker) -> None:
    waker = Waker(broker.url)
    assert all(waker.wake(JobClass.CRON) for _ in range(2 * ENOUGH))
    assert _queued(broker, JobClass.CRON) == ENOUGH
    broker.client().flushall()
    assert waker.wake(JobClass.CRON)
    assert _queued(broker, JobClass.CRON) == 1
    broker.client().flushall()


def test_wakeup_is_the_message_that_celery_itself_sends(broker: Broker) -> None:
    broker.client().flushall()
    assert Waker(broker.url).wake(JobClass.OBSERVE)
    app = create(broker.url)
    app.send_task(WORK, args=(str(JobClass.OBSERVE),), queue=str(JobClass.OBSERVE), ignore_result=True)
    ours, theirs = map(_without_ids, broker.client().lrange(str(JobClass.OBSERVE), 0, -1))  # type: ignore[arg-type]
    assert ours == theirs
    broker.client().flushall()


def _without_ids(raw: bytes) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(raw)
    for part, keys in (("headers", ("id", "root_id")), ("properties", ("correlation_id", "delivery_tag", "reply_to"))):
        for key in keys:
            message[part].pop(key)
    return {**message, "body": json.loads(base64.b64decode(message["body"]))}


def test_wakeups_for_all_slots_are_sent_together(own_broker: Broker) -> None:
    waker = Waker(own_broker.url)
    before = _commands(own_broker)
    assert waker.wake(JobClass.CRON, 40)
    assert _commands(own_broker) - before < 20, "forty messages would be forty commands"
    assert _queued(own_broker, JobClass.CRON) == 40
    assert waker.wake(JobClass.CRON, ENOUGH)
    assert _queued(own_broker, JobClass.CRON) == ENOUGH


def _commands(broker: Broker) -> int:
    return int(broker.client().info("stats")["total_commands_processed"])  # type: ignore[index]


def _queued(broker: Broker, job_class: JobClass) -> int:
    return int(broker.client().llen(str(job_class)))  # type: ignore[arg-type]


def test_work_that_waits_is_nudged_up_to_the_free_slots(broker: Broker) -> None:
    nudges = LostWakeups(Waker(broker.url))
    nudges.send([ReadyWork(JobClass.INVOKE, ready=10, oldest=3.0)], {JobClass.INVOKE: 4})
    assert _queued(broker, JobClass.INVOKE) == 4
    nudges.send([ReadyWork(JobClass.INVOKE, ready=10, oldest=3.1)], {JobClass.INVOKE: 4})
    assert _queued(broker, JobClass.INVOKE) == 4
    broker.client().flushall()


@pytest.mark.parametrize(("job_class", "patience"), [(JobClass.INVOKE, 2), (JobClass.CRON, 5), (JobClass.DEPLOY, 15)])
def test_each_class_has_its_patience(broker: Broker, job_class: JobClass, patience: float) -> None:
    nudges = LostWakeups(Waker(broker.url))
    nudges.send([ReadyWork(job_class, 1, patience - 0.1)], {job_class: 1})
    assert _queued(broker, job_class) == 0
    nudges.send([ReadyWork(job_class, 1, patience)], {job_class: 1})
    assert _queued(broker, job_class) == 1
    broker.client().flushall()


def test_nobody_is_nudged_when_no_slot_is_free(broker: Broker) -> None:
    LostWakeups(Waker(broker.url)).send([ReadyWork(JobClass.INVOKE, 5, 60)], {})
    assert _queued(broker, JobClass.INVOKE) == 0
