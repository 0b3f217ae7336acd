"""The Celery tasks: one, which a wake-up starts; and the signals that tie a worker's life to Celery's.

`celery -A norn_tasks.tasks worker -Q deploy -n deploy@%h`: the queue is the class. Celery is told the end of a worker
in the parent only: the parent marks the worker draining, and closes a pipe that wakes every child's heart at once.
"""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from typing import Any

from celery import signals

from norn_tasks.celery_app import WORK, Waker, app
from norn_tasks.domain.job import JobClass
from norn_tasks.logs import configure
from norn_tasks.pipelines.failpoints import reach
from norn_tasks.pipelines.runner import Runner
from norn_tasks.settings import Settings, load
from norn_tasks.store.ledger import Ledger
from norn_tasks.store.live import Live
from norn_tasks.store.session import Database
from norn_tasks.wiring import disks, engine_identity, engine_memory, tools
from norn_tasks.worker.heart import Heart
from norn_tasks.worker.liveness import Liveness
from norn_tasks.worker.output import StepOutput
from norn_tasks.worker.presence import EngineIdentity, PresenceThread, speaking
from norn_tasks.worker.process import WorkerProcess

_PR_SET_PDEATHSIG = 1


class _Fleet:
    """What this Celery worker is: set when it starts, read by its tasks; one WorkerProcess per process."""

    def __init__(self) -> None:
        self.name = ""
        self.job_class = JobClass.OBSERVE
        self.drain_pipe: tuple[int, int] | None = None
        self.presence: PresenceThread | None = None
        self._lock = threading.Lock()
        self._process: tuple[int, WorkerProcess] | None = None

    def process(self) -> WorkerProcess:
        """Answers this process's worker, made on first use after a fork."""
        with self._lock:
            if self._process is None or self._process[0] != os.getpid():
                self._process = (os.getpid(), self._make(load()))
            return self._process[1]

    def _make(self, settings: Settings) -> WorkerProcess:
        database = Database(settings.database_url, pool=settings.slots(self.job_class) + 4, rested=1.0)
        live = Live(settings.broker_url)
        heart = Heart(database, settings, self.job_class)
        if self.drain_pipe is not None:
            _when_closed(self.drain_pipe, heart)
        waker = Waker(settings.broker_url)
        runner = Runner(
            ledger=Ledger(
                database, patience=settings.self_stop_seconds, wake=waker.wake, leaving=lambda: heart.draining
            ),
            tools=tools(settings, database, live),
            output=StepOutput(database),
            reach=reach(settings.failpoint, test_build=settings.test_build),
        )
        return WorkerProcess(
            name=self.name,
            job_class=self.job_class,
            settings=settings,
            database=database,
            live=live,
            waker=waker,
            heart=heart,
            engine=EngineIdentity(engine_identity(settings), speaking(database, settings)),
            runner=runner,
        )


fleet = _Fleet()


@app.task(name=WORK)
def work(_job_class: str) -> None:
    """A class has work: takes what is ready until there is none."""
    fleet.process().work()


def _when_closed(pipe: tuple[int, int], heart: Heart) -> None:
    """Drains the heart when the parent closes its end of the pipe."""
    reading, writing = pipe
    if os.getpid() != _parent:
        os.close(writing)

    def listen() -> None:
        os.read(reading, 1)
        heart.drain()

    threading.Thread(target=listen, name="norn-drain", daemon=True).start()


_parent = os.getpid()


@signals.celeryd_after_setup.connect
def _set_up(sender: str, instance: Any, **_: Any) -> None:
    """Learns name and class from Celery's own options, before the pool forks."""
    global _parent
    _parent = os.getpid()
    queues = [str(queue) for queue in instance.app.amqp.queues.consume_from]
    fleet.name, fleet.job_class = sender, JobClass(queues[0])
    fleet.drain_pipe = os.pipe()


@signals.worker_ready.connect
def _ready(**_: Any) -> None:
    settings = load()
    database = Database(settings.database_url, pool=2)
    stand, look = speaking(database, settings), disks(settings)
    identity = EngineIdentity(engine_identity(settings), stand, look, engine_memory(settings))
    liveness = Liveness(database, Live(settings.broker_url), fleet.name, fleet.job_class)
    fleet.presence = PresenceThread(database, settings, liveness, identity)
    fleet.presence.start()


@signals.worker_process_init.connect
def _forked(**_: Any) -> None:
    """A pool's child ends with its parent: a killed worker leaves nothing running that could not be fenced."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@signals.worker_shutting_down.connect
def _shutting_down(**_: Any) -> None:
    """SIGTERM: nothing is claimed any more, and every job hears of it at once."""
    if fleet.drain_pipe is not None:
        os.close(fleet.drain_pipe[1])
    if fleet.presence is not None:
        threading.Thread(target=fleet.presence.drain, daemon=True).start()


@signals.worker_shutdown.connect
def _shut_down(**_: Any) -> None:
    if fleet.presence is not None:
        fleet.presence.leave()


@signals.setup_logging.connect
def _logging(**_: Any) -> None:
    configure(load())
