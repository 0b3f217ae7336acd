"""Celery's consumer as Norn's workers use it: without messages between workers, and with a limit for each class.

A worker of several classes reads their queues over one connection. It takes no wake-up of a class whose slots are all
in use, but leaves that message to other workers. Otherwise the jobs of one class could occupy the threads of all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from celery import bootsteps
from celery.worker import state
from celery.worker.consumer import Consumer
from celery.worker.consumer.tasks import Tasks

from norn_tasks.domain.jobs.job import JobClass

UNUSED = ("without_gossip", "without_heartbeat", "without_mingle")
"""Celery's own messages between workers. Nothing reads them, because Norn's workers report to PostgreSQL."""

limits: dict[str, int] = {}
"""The slots of each queue of a worker of several classes; empty for a worker of one class, which Celery limits."""


class QuietConsumer(Consumer):
    """Celery's consumer without messages between workers: Celery would wait a second for these at each start.

    Workers know each other by their rows in the database.
    """

    def __init__(self, do: Any, worker_options: Mapping[str, Any] | None = None, **more: Any) -> None:
        super().__init__(do, worker_options={**(worker_options or {}), **dict.fromkeys(UNUSED, True)}, **more)


class ClassLimits(bootsteps.StartStopStep):
    """The step of the consumer that limits each class; it runs again with each new connection to the broker."""

    requires = (Tasks,)

    def start(self, parent: Any) -> None:
        """Makes Celery take its next message only from the queues that `open_queues` returns."""
        if limits:
            cycle = parent.task_consumer.channel._queue_cycle
            cycle.consume = lambda _count: open_queues(cycle.items)


def open_queues(queues: list[str]) -> list[str]:
    """Returns the queues whose classes have a free slot, in the given order."""
    busy = Counter(request.delivery_info["routing_key"] for request in list(state.reserved_requests))
    return [queue for queue in queues if busy[queue] < limits.get(queue, 1)]


def limit(slots: Mapping[JobClass, int]) -> None:
    """Limits the classes of this worker, if it has several."""
    limits.clear()
    if len(slots) > 1:
        limits.update({str(job_class): count for job_class, count in slots.items()})
