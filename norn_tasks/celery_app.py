"""The Celery application, with one queue per job class. A message only wakes a worker, which then takes its job from
PostgreSQL. A sender names the task by a string, so that it need not import the code of the task.

Publishing takes bounded time: the API allows it 300 ms without a retry, and after a failure it does not publish for 5 s
(the circuit breaker). If a wake-up is lost, work only starts later, because the sweeper sends wake-ups again.
"""

from __future__ import annotations

import json
import os
import threading
import time
from typing import Any
from uuid import uuid4

from celery import Celery
from kombu import Exchange, Queue
from kombu.exceptions import OperationalError

from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.settings import load

WORK = "norn.work"
BREAKER_SECONDS = 5.0
_PUBLISH_SECONDS = 0.3
ENOUGH = 256
"""When this many wake-ups of a class are waiting, a process sends no more."""


def create(broker_url: str) -> Celery:
    """Returns the application for a broker. Its queues use the default exchange, which needs no keys in Redis."""
    app = Celery("norn", broker=broker_url, set_as_current=False)
    app.conf.update(
        # A wake-up that is lost costs only time, so the broker keeps no record of wake-ups that a worker has taken.
        task_queues=[Queue(str(c), Exchange(""), routing_key=str(c), no_ack=True) for c in JobClass],
        task_default_exchange="",
        task_create_missing_queues=False,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={"socket_timeout": 10, "socket_connect_timeout": 2, "socket_keepalive": True},
        timezone="UTC",
        enable_utc=True,
    )
    return app


class Waker:
    """Publishes wake-ups in bounded time, and publishes none for a while after the broker did not accept one.

    It sends none while ENOUGH wake-ups of a class are waiting, because each waiting wake-up makes a worker take any job
    of the class.
    """

    def __init__(self, broker_url: str) -> None:
        self._app = create(broker_url)
        self._app.conf.update(
            task_publish_retry=False,
            broker_transport_options={
                "max_retries": 0,
                "socket_connect_timeout": _PUBLISH_SECONDS,
                "socket_timeout": _PUBLISH_SECONDS,
            },
        )
        lost = self._app.connection_for_write().connection_errors
        self._errors: tuple[type[BaseException], ...] = (OperationalError, OSError, *lost)
        self._lock = threading.Lock()
        self._closed_until = 0.0
        self._unseen: dict[JobClass, int] = {}

    @property
    def broken(self) -> bool:
        """True while the circuit breaker is open, because the broker did not accept the last message."""
        return time.monotonic() < self._closed_until

    def wake(self, job_class: JobClass, times: int = 1) -> bool:
        """Sends wake-ups for a class; returns False if the broker did not accept them, in which case the work only
        starts later.
        """
        if self.broken:
            return False
        try:
            allowed = self._allowed(job_class, times)
            if allowed:
                self._send(job_class, allowed)
        except self._errors:
            with self._lock:
                self._closed_until = time.monotonic() + BREAKER_SECONDS
            return False
        return True

    def _allowed(self, job_class: JobClass, times: int) -> int:
        """Returns how many of these wake-ups to send, so that no more than ENOUGH wait. It asks the broker for the
        number of waiting wake-ups only after this process may have sent that many itself.
        """
        with self._lock:
            left = self._unseen.get(job_class, ENOUGH)
            if left >= times:
                self._unseen[job_class] = left - times
                return times
        with self._app.connection_or_acquire() as connection:
            # One command suffices here: kombu itself counts messages with four, one for each priority.
            free = max(0, ENOUGH - int(connection.default_channel.client.llen(str(job_class))))
        allowed = min(times, free)
        with self._lock:
            self._unseen[job_class] = free - allowed
        return allowed

    def _send(self, job_class: JobClass, times: int) -> None:
        """Sends all wake-ups in one command to the broker, for a third of the CPU time of Celery's `send_task`."""
        with self._app.connection_or_acquire() as connection:
            channel: Any = connection.default_channel
            channel.client.lpush(str(job_class), *(self._message(channel, job_class) for _ in range(times)))

    def _message(self, channel: Any, job_class: JobClass) -> str:
        """Returns the task as kombu writes it into the list of a queue."""
        task = self._app.amqp.as_task_v2(str(uuid4()), WORK, args=(str(job_class),), ignore_result=True)
        message = channel.prepare_message(
            json.dumps(task.body),
            content_type="application/json",
            content_encoding="utf-8",
            headers=task.headers,
            properties={**task.properties, "delivery_mode": 2},
        )
        channel._inplace_augment_message(message, "", str(job_class))
        return json.dumps(message)


def _from_environment() -> Celery:
    return create(load().broker_url or os.environ.get("CELERY_BROKER_URL", "memory://"))


app = _from_environment()
