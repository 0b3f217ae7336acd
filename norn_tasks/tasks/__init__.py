"""The one Celery task, which a wake-up starts, and the signal handlers that tie a worker's life to Celery's.

`celery -A norn_tasks.tasks worker -Q deploy`: the queue is the class. Without options, the class decides the worker's
name and its number of slots. A worker may have several queues; it then has a name, slots and a row for each. Celery
reports the end of a worker to the parent only: the parent marks the worker draining, and closes a pipe that wakes every
child at once.
"""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

import structlog
from celery import signals
from celery.utils.nodenames import NODENAME_DEFAULT

from norn_tasks.celery_app import WORK, app
from norn_tasks.domain.errors import Conflict, DatabaseDown
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.logs import configure
from norn_tasks.settings import Settings, load
from norn_tasks.store.database.opening import open_database
from norn_tasks.store.database.session import Database
from norn_tasks.tasks.consumer import UNUSED, ClassLimits, QuietConsumer, limit
from norn_tasks.worker import naming
from norn_tasks.worker.assembly import ServedClass, make_presence, make_processes
from norn_tasks.worker.leases import LeaseKeeper
from norn_tasks.worker.liveness import end_myself
from norn_tasks.worker.presence import PresenceThread
from norn_tasks.worker.process import WorkerProcess
from norn_tasks.worker.process_id import ProcessId, unique_name

log = structlog.get_logger()

_PR_SET_PDEATHSIG = 1


app.conf.worker_consumer = f"{QuietConsumer.__module__}:{QuietConsumer.__name__}"
app.steps["consumer"].add(ClassLimits)

TOGETHER = "norn"
"""The name of the worker of all classes that `norn up` starts: in each class, it is named after the class."""


class _CeleryWorker:
    """The state of this Celery worker: set when it starts, read by its tasks; one WorkerProcess per process and class.

    `served` has the classes; a worker that is started with one queue has one.
    """

    def __init__(self) -> None:
        self.served: tuple[ServedClass, ...] = ()
        self.drain_pipe: tuple[int, int] | None = None
        self.presence: PresenceThread | None = None
        self.database: Database | None = None
        """The database that the presence shares with other threads of the process; None if it opens one of its own."""
        self._lock = threading.Lock()
        self._processes: tuple[int, dict[JobClass, WorkerProcess]] | None = None

    def process(self, job_class: JobClass) -> WorkerProcess:
        """Returns this process's worker of a class, made on first use after a fork."""
        with self._lock:
            if self._processes is None or self._processes[0] != os.getpid():
                self._processes = (os.getpid(), self._make(load()))
            return self._processes[1][job_class]

    def _make(self, settings: Settings) -> dict[JobClass, WorkerProcess]:
        made = make_processes(settings, self.served, None if os.getpid() == _parent else 1)
        if self.drain_pipe is not None:
            _when_closed(self.drain_pipe, [process.leases for process in made.values()])
        return made


fleet = _CeleryWorker()


@app.task(name=WORK)
def work(job_class: str) -> None:
    """Runs the ready jobs of the class until none is left."""
    fleet.process(JobClass(job_class)).work()


def _when_closed(pipe: tuple[int, int], all_leases: Sequence[LeaseKeeper]) -> None:
    """Drains the process when the parent closes its end of the pipe."""
    reading, writing = pipe
    if os.getpid() != _parent:
        os.close(writing)

    def listen() -> None:
        os.read(reading, 1)
        for leases in all_leases:
            leases.drain()

    threading.Thread(target=listen, name="norn-drain", daemon=True).start()


_parent = os.getpid()


@signals.celeryd_init.connect
def _choose_slots(conf: Any, options: dict[str, Any], **_: Any) -> None:
    """Takes the number of slots from the settings of the classes, if the option -c does not give it."""
    settings = load()
    conf.worker_concurrency = sum(settings.slots(each) for each in _classes(options.get("queues") or ()))


@signals.worker_init.connect
def _stay_quiet(sender: Any, **_: Any) -> None:
    """Keeps Celery from starting the parts that send messages to every other worker every two seconds."""
    sender.options.update(dict.fromkeys(UNUSED, True))


@signals.celeryd_after_setup.connect
def _set_up(sender: str, instance: Any, **_: Any) -> None:
    """Learns classes, slots and names from Celery's own options, before the pool forks."""
    global _parent
    _parent = os.getpid()
    classes = _classes(instance.app.amqp.queues.consume_from)
    slots = _slots(classes, instance.concurrency)
    named = not sender.startswith(f"{NODENAME_DEFAULT}@")
    fleet.served = tuple(
        ServedClass(each, _name(each, sender, alone=len(classes) == 1) if named else unique_name(each), slots[each])
        for each in classes
    )
    limit(slots)
    fleet.drain_pipe = os.pipe()
    _acquire_names(load())


def _classes(queues: Iterable[object]) -> tuple[JobClass, ...]:
    """Returns the classes of the queues, in the order of JobClass; ends this process if one of them is no class."""
    named = {str(queue) for queue in (queues.split(",") if isinstance(queues, str) else queues)}
    if not named or named - set(JobClass):
        _refuse(
            f"the queues of a worker are its classes, and this one has {', '.join(sorted(named)) or 'none'}",
            f"-Q {', -Q '.join(JobClass)}, or several of them: -Q {','.join(JobClass)}",
        )
    return tuple(each for each in JobClass if each in named)


def _slots(classes: Sequence[JobClass], concurrency: int) -> dict[JobClass, int]:
    """Returns the slots of each class; ends this process if a worker of several classes has the option -c."""
    if len(classes) == 1:
        return {classes[0]: concurrency}
    settings = load()
    slots = {each: settings.slots(each) for each in classes}
    if sum(slots.values()) != concurrency:
        _refuse("-c does not say which of the worker's classes it is for", "leave -c out, and set NORN_WORKERS_<CLASS>")
    return slots


def _name(job_class: JobClass, sender: str, *, alone: bool) -> str:
    """Returns the worker's name in a class: the given name if the worker has one class. If it has several, the class is
    added to the name, or replaces the name TOGETHER.
    """
    given, _, host = sender.rpartition("@")
    return sender if alone else f"{job_class}@{host}" if given == TOGETHER else f"{given}-{job_class}@{host}"


def _acquire_names(settings: Settings) -> None:
    """Ends this process if another worker has one of its names.

    This cannot be checked while the database is away. In that case the newest process gets the name later, and the
    other one ends.
    """
    database = open_database(settings, "worker", 1)
    try:
        for each in fleet.served:
            naming.acquire(database, each.name, ProcessId.own())
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
    fleet.presence = make_presence(load(), fleet.served, end_myself, fleet.database)
    fleet.presence.start()


@signals.worker_process_init.connect
def _forked(**_: Any) -> None:
    """Makes a child of the pool end with its parent, so that no child of a killed worker goes on running a job."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@signals.worker_shutting_down.connect
def _shutting_down(**_: Any) -> None:
    """Stops claiming at SIGTERM, and notifies every job at once."""
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
