"""The one Celery task, which a wake-up starts, and the handlers for Celery's signals at the start and the end of a
worker.

`celery -A norn_tasks.tasks worker -Q deploy`: the queue is the class. Without options, the class decides the worker's
name and its number of slots. Celery reports the end of a worker only to the parent process. The parent marks the worker
as draining, and closes a pipe, which notifies every child process immediately.
"""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NoReturn

import structlog
from celery import signals
from celery.utils.nodenames import NODENAME_DEFAULT
from celery.worker.consumer import Consumer

from norn_tasks.celery_app import WORK, Waker, app
from norn_tasks.dispatch import open_intake, request_cluster_look
from norn_tasks.domain.errors import Conflict, DatabaseDown, NornError
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.logs import configure
from norn_tasks.pipelines.failpoints import failpoint_from
from norn_tasks.pipelines.runner import Runner
from norn_tasks.ports import FastRoad
from norn_tasks.settings import Settings, load
from norn_tasks.store.broker.live import Live
from norn_tasks.store.database.opening import SELDOM, open_database, open_for_jobs
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.wiring import (
    KUBERNETES,
    cluster_engines,
    disks,
    engine_identity,
    engine_memory,
    fast_road,
    log_collector,
    places,
    pod_log_collector,
    tools,
    watch_kubernetes,
)
from norn_tasks.worker import naming
from norn_tasks.worker.cancels import CancelListener
from norn_tasks.worker.cluster_watch import ClusterWatch
from norn_tasks.worker.engines import EngineIdentity, WorkerTools, registering
from norn_tasks.worker.leases import LeaseKeeper
from norn_tasks.worker.liveness import Liveness
from norn_tasks.worker.log_collection import LogCollection
from norn_tasks.worker.nest import NestThread
from norn_tasks.worker.output import StepOutput
from norn_tasks.worker.presence import PresenceThread
from norn_tasks.worker.process import WorkerProcess
from norn_tasks.worker.process_id import ProcessId, unique_name
from norn_tasks.worker.shares import Shares

log = structlog.get_logger()

_PR_SET_PDEATHSIG = 1


class QuietConsumer(Consumer):
    """Celery's consumer without messages between workers, because Celery would wait a second for these at each start.

    Norn's workers know each other by their rows in the database.
    """

    def __init__(self, do: Any, worker_options: Mapping[str, Any] | None = None, **more: Any) -> None:
        without = dict.fromkeys(("without_mingle", "without_gossip", "without_heartbeat"), True)
        super().__init__(do, worker_options={**(worker_options or {}), **without}, **more)


app.conf.worker_consumer = f"{__name__}:{QuietConsumer.__name__}"


class _CeleryWorker:
    """The state of this Celery worker, set when it starts and read by its tasks; it has one WorkerProcess per
    process.
    """

    def __init__(self) -> None:
        self.name = ""
        self.job_class = JobClass.OBSERVE
        self.slots = 1
        self.drain_pipe: tuple[int, int] | None = None
        self.presence: PresenceThread | None = None
        self._lock = threading.Lock()
        self._process: tuple[int, WorkerProcess] | None = None

    def process(self) -> WorkerProcess:
        """Returns this process's worker, which is created at the first use after a fork."""
        with self._lock:
            if self._process is None or self._process[0] != os.getpid():
                self._process = (os.getpid(), self._make(load()))
            return self._process[1]

    def _make(self, settings: Settings) -> WorkerProcess:
        here = self.slots if os.getpid() == _parent else 1
        database = open_for_jobs(settings, self.job_class, here)
        live = Live(settings.broker_url)
        leases = LeaseKeeper(open_database(settings, self.job_class, 1), settings, self.job_class)
        CancelListener(database, settings.listen_url, leases)
        if self.drain_pipe is not None:
            _when_closed(self.drain_pipe, leases)
        waker = Waker(settings.broker_url)
        runner = Runner(
            ledger=Ledger(
                database, patience=settings.self_stop_seconds, wake=waker.wake, leaving=lambda: leases.draining
            ),
            tools=tools(settings, database, live, waker.wake),
            output=StepOutput(database),
            reach=failpoint_from(settings.failpoint, test_build=settings.test_build),
        )
        return WorkerProcess(
            name=self.name,
            job_class=self.job_class,
            settings=settings,
            database=database,
            live=live,
            waker=waker,
            leases=leases,
            engine=EngineIdentity(engine_identity(settings), registering(database, settings), has=_tools_of(settings)),
            runner=runner,
            shares=Shares(self.job_class, self.slots),
        )


fleet = _CeleryWorker()


@app.task(name=WORK)
def work(_job_class: str) -> None:
    """Runs the ready jobs of the class until none is left."""
    fleet.process().work()


def _tools_of(settings: Settings) -> WorkerTools:
    return WorkerTools.of(*places(settings), cluster_engines(settings))


def _when_closed(pipe: tuple[int, int], leases: LeaseKeeper) -> None:
    """Drains the process when the parent closes its end of the pipe."""
    reading, writing = pipe
    if os.getpid() != _parent:
        os.close(writing)

    def listen() -> None:
        os.read(reading, 1)
        leases.drain()

    threading.Thread(target=listen, name="norn-drain", daemon=True).start()


_parent = os.getpid()


@signals.celeryd_init.connect
def _choose_slots(conf: Any, options: dict[str, Any], **_: Any) -> None:
    """Takes the number of slots from the settings of the class, unless the option -c gives it."""
    conf.worker_concurrency = load().slots(_the_class(options.get("queues") or ()))


_UNUSED = ("without_gossip", "without_heartbeat", "without_mingle")
"""Celery's own messages between workers. Nothing reads them, because Norn's workers report to PostgreSQL."""


@signals.worker_init.connect
def _stay_quiet(sender: Any, **_: Any) -> None:
    """Disables the parts of Celery that send messages to every other worker every two seconds."""
    sender.options.update(dict.fromkeys(_UNUSED, True))


@signals.celeryd_after_setup.connect
def _set_up(sender: str, instance: Any, **_: Any) -> None:
    """Reads class, slots and name from Celery's own options, before the pool forks."""
    global _parent
    _parent = os.getpid()
    fleet.job_class, fleet.slots = _the_class(instance.app.amqp.queues.consume_from), instance.concurrency
    fleet.name = unique_name(fleet.job_class) if sender.startswith(f"{NODENAME_DEFAULT}@") else sender
    fleet.drain_pipe = os.pipe()
    _acquire_name(load())


def _the_class(queues: Iterable[object]) -> JobClass:
    named = queues.split(",") if isinstance(queues, str) else [str(queue) for queue in queues]
    if len(named) != 1 or named[0] not in list(JobClass):
        _refuse(f"a worker has one class, and this one has {len(named)}", f"-Q {', -Q '.join(JobClass)}")
    return JobClass(named[0])


def _acquire_name(settings: Settings) -> None:
    """Ends this process if another worker has its name.

    This cannot be checked while the database is unreachable. In that case the newest process gets the name later, and
    the other one ends.
    """
    database = open_database(settings, fleet.job_class, 1)
    try:
        naming.acquire(database, fleet.name, ProcessId.own())
    except Conflict as error:
        _refuse(error.sentence, error.hint)
    except DatabaseDown:
        pass
    finally:
        database.dispose()


def _refuse(sentence: str, hint: str) -> NoReturn:
    log.error(sentence, hint=hint)
    raise SystemExit(1)


@signals.worker_ready.connect
def _ready(**_: Any) -> None:
    settings = load()
    database = open_database(settings, fleet.job_class, 2, ping_after_idle=SELDOM)
    fast = _fast_road(settings, database)
    register, look, has = registering(database, settings), disks(settings), replace(_tools_of(settings), fast=fast)
    identity = EngineIdentity(engine_identity(settings), register, look, engine_memory(settings), has=has)
    liveness = Liveness(database, Live(settings.broker_url), fleet.name, fleet.job_class)
    fleet.presence = PresenceThread(database, settings, liveness, identity, slots=fleet.slots)
    fleet.presence.start()
    if fleet.job_class is JobClass.OBSERVE and not (settings.noop_runtime and settings.test_build):
        LogCollection(lambda: log_collector(settings, database)).start()
        if settings.kube_namespace:
            LogCollection(lambda: pod_log_collector(settings, database)).start()
            _watch_kubernetes(settings, database)


def _watch_kubernetes(settings: Settings, database: Database) -> None:
    """Requests an observation of the cluster soon after each change there."""
    intake = open_intake(database, settings)
    ClusterWatch(
        lambda changed: watch_kubernetes(settings, database, changed),
        lambda: request_cluster_look(intake, KUBERNETES, actor=fleet.name),
    ).start()


def _fast_road(settings: Settings, database: Database) -> FastRoad | None:
    """Starts the thread that creates the nest (the container in which crun starts runs), if this worker's runs may use
    it; returns the nest.
    """
    if not fleet.job_class.runs_code or (settings.noop_runtime and settings.test_build):
        return None
    try:
        fast = fast_road(settings, database)
    except NornError as error:
        log.warning("the nest is not looked for until this worker starts again", error=error.sentence)
        return None
    if fast is not None:
        NestThread(fast).start()
    return fast


@signals.worker_process_init.connect
def _forked(**_: Any) -> None:
    """Makes a child process of the pool end with its parent, so that a killed worker leaves no process that nobody
    could fence.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@signals.worker_shutting_down.connect
def _shutting_down(**_: Any) -> None:
    """Stops claiming at SIGTERM, and notifies every job immediately."""
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
