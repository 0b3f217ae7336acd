"""`python -m norn_tasks.tasks.together`: one process that is the worker of all classes and the scheduler (beat).

`norn up` starts it unless the setting `embedded_processes` asks for a process per class. It makes Celery's worker
without Celery's command line, whose modules take 9 MiB.
"""

from __future__ import annotations

import socket
import sys

from celery import signals

from norn_tasks.celery_app import app
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.scheduler import beat_thread
from norn_tasks.scheduler.beat_thread import BeatThread
from norn_tasks.settings import load
from norn_tasks.store.database.opening import SELDOM, open_database
from norn_tasks.tasks import TOGETHER, fleet
from norn_tasks.worker import assembly as worker_assembly


def main() -> int:
    """Runs the worker until SIGTERM; returns its exit code."""
    settings = load()
    both = worker_assembly.CONNECTIONS + beat_thread.CONNECTIONS
    fleet.database = open_database(settings, "worker", both, ping_after_idle=SELDOM)
    beat = BeatThread(settings, fleet.database)
    signals.worker_ready.connect(lambda **_: beat.start(), weak=False)
    signals.worker_shutdown.connect(lambda **_: beat.stop(), weak=False)
    name = f"{TOGETHER}@{socket.gethostname()}"
    queues = [str(each) for each in JobClass]
    worker = app.Worker(hostname=name, pool_cls="threads", queues=queues, loglevel="WARNING")
    worker.start()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    sys.exit(main())
