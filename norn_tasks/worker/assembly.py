"""Makes the parts of a worker from the settings: the process that runs the jobs of a class, and the worker's presence.

A worker of several classes has one process object for each, with slots, connections, leases and shares of its own. They
share the knowledge about the engines, the connection on which cancellations arrive, and the presence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from norn_tasks.celery_app import Waker
from norn_tasks.dispatch import open_intake, request_cluster_look
from norn_tasks.domain.errors import NornError
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.pipelines.failpoints import failpoint_from
from norn_tasks.pipelines.runner import Runner
from norn_tasks.ports import FastRoad
from norn_tasks.settings import Settings
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
from norn_tasks.worker.shares import Shares

log = structlog.get_logger()
CONNECTIONS = 2
"""The connections that the threads beside the jobs may use at once."""


@dataclass(frozen=True)
class ServedClass:
    """A class that a worker serves: the worker's name in this class, and the slots of the whole worker."""

    job_class: JobClass
    name: str
    slots: int


def make_processes(
    settings: Settings, served: Sequence[ServedClass], slots_here: int | None = None
) -> dict[JobClass, WorkerProcess]:
    """Returns a worker process for each class; `slots_here` is the number of slots in this process if it does not have
    all of them.
    """
    databases = [open_for_jobs(settings, each.job_class, slots_here or each.slots) for each in served]
    engine = EngineIdentity(engine_identity(settings), registering(databases[0], settings), has=_tools_of(settings))
    made = {
        each.job_class: _process(settings, each, database, engine)
        for each, database in zip(served, databases, strict=True)
    }
    CancelListener(databases[0], settings.listen_url, *(process.leases for process in made.values()))
    return made


def _process(settings: Settings, served: ServedClass, database: Database, engine: EngineIdentity) -> WorkerProcess:
    leases = LeaseKeeper(open_database(settings, served.job_class, 1), settings, served.job_class)
    live, waker = Live(settings.broker_url), Waker(settings.broker_url)
    runner = Runner(
        ledger=Ledger(database, patience=settings.self_stop_seconds, wake=waker.wake, leaving=lambda: leases.draining),
        tools=tools(settings, database, live, waker.wake),
        output=StepOutput(database),
        reach=failpoint_from(settings.failpoint, test_build=settings.test_build),
    )
    return WorkerProcess(
        name=served.name,
        job_class=served.job_class,
        settings=settings,
        database=database,
        live=live,
        waker=waker,
        leases=leases,
        engine=engine,
        runner=runner,
        shares=Shares(served.job_class, served.slots),
    )


def make_presence(
    settings: Settings, served: Sequence[ServedClass], end: Callable[[], None], database: Database | None = None
) -> PresenceThread:
    """Returns the presence of a worker in its classes; starts the threads beside its jobs.

    `database`: two of its connections may be used; if it is None, the presence opens one of its own.
    """
    classes = {each.job_class for each in served}
    process = "worker" if len(served) > 1 else str(served[0].job_class)
    database = database or open_database(settings, process, CONNECTIONS, ping_after_idle=SELDOM)
    without_code = settings.noop_runtime and settings.test_build
    fast = _fast_road(settings, database) if not without_code and any(each.runs_code for each in classes) else None
    register, look, has = registering(database, settings), disks(settings), replace(_tools_of(settings), fast=fast)
    identity = EngineIdentity(engine_identity(settings), register, look, engine_memory(settings), has=has)
    live = Live(settings.broker_url)
    workers = [Liveness(database, live, each.name, each.job_class, end, slots=each.slots) for each in served]
    if JobClass.OBSERVE in classes and not without_code:
        LogCollection(lambda: log_collector(settings, database)).start()
        if settings.kube_namespace:
            LogCollection(lambda: pod_log_collector(settings, database)).start()
            _watch_kubernetes(settings, database, served[0].name)
    return PresenceThread(database, settings, workers, identity, end)


def _tools_of(settings: Settings) -> WorkerTools:
    return WorkerTools.of(*places(settings), cluster_engines(settings))


def _watch_kubernetes(settings: Settings, database: Database, actor: str) -> None:
    """Starts the thread that requests an observation of the cluster soon after each change there."""
    intake = open_intake(database, settings)
    ClusterWatch(
        lambda changed: watch_kubernetes(settings, database, changed),
        lambda: request_cluster_look(intake, KUBERNETES, actor=actor),
    ).start()


def _fast_road(settings: Settings, database: Database) -> FastRoad | None:
    """Starts the thread that makes the nest (the container in which crun starts runs), if runs may use it; returns the
    nest.
    """
    try:
        fast = fast_road(settings, database)
    except NornError as error:
        log.warning("this worker uses no nest until it is restarted", error=error.sentence)
        return None
    if fast is not None:
        NestThread(fast).start()
    return fast
