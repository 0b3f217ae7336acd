"""`python -m tests.benchmarks.queue.peer_worker NAME prepare|work URL FILE`: makes the tables of a peer (another
queue), or runs its worker.

The function of each peer gets `prepare` or `work` as `what`, and as `body` the function that a job runs.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from typing import Any

SLOTS = 8
QUEUE = "bench"


def note_end(file: str) -> Callable[[int], None]:
    """Returns the function that a job runs: it appends the job's number and the time to the file."""
    opened = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    return lambda n: void(os.write(opened, f"{n} {time.time()}\n".encode()))


def void(_: object) -> None:
    """Returns nothing."""


def numbered(n: int, _sent: object) -> str:
    """Returns the number of a job as its id: a queue without rows has no other."""
    return str(n)


def procrastinate(what: str, url: str, body: Callable[[int], None]) -> None:
    """Makes Procrastinate's tables, or runs its worker with eight jobs at once; a periodic task retries jobs of dead
    workers, as its guide says.
    """
    app = procrastinate_app(url)
    app.task(name="noop", queue=QUEUE)(body)

    async def retry_stalled(timestamp: int) -> None:
        """Retries the jobs of workers that no longer report."""
        for job in await app.job_manager.get_stalled_jobs():
            await app.job_manager.retry_job(job)

    stalled = app.task(name="retry_stalled", queue=QUEUE, queueing_lock="retry_stalled")(retry_stalled)
    app.periodic(cron="*/10 * * * * *")(stalled)
    if what == "prepare":
        with app.open():
            app.schema_manager.apply_schema()
    else:
        app.run_worker(queues=[QUEUE], concurrency=SLOTS)


def procrastinate_app(url: str) -> Any:
    """Returns the application of Procrastinate."""
    from procrastinate import App, PsycopgConnector

    return App(connector=PsycopgConnector(conninfo=url))


def procrastinate_sender(url: str) -> Callable[[int], str]:
    """Returns a sender with a connection of its own."""
    from procrastinate import App, SyncPsycopgConnector

    app = App(connector=SyncPsycopgConnector(conninfo=url))
    app.open()
    deferrer = app.configure_task("noop", queue=QUEUE, allow_unknown=True)
    return lambda n: str(deferrer.defer(n=n))


def pgqueuer(what: str, url: str, body: Callable[[int], None]) -> None:
    """Makes PgQueuer's tables, or runs its worker; it takes ten jobs at once, its default."""
    asyncio.run(_pgqueuer(what, url, body))


async def _pgqueuer(what: str, url: str, body: Callable[[int], None]) -> None:
    import asyncpg
    from pgqueuer import AsyncpgDriver, PgQueuer, Queries

    driver = AsyncpgDriver(await asyncpg.connect(url))
    if what == "prepare":
        await Queries(driver).install()
        return
    queuer = PgQueuer(driver)

    async def noop(job: Any) -> None:
        body(int(job.payload))

    queuer.entrypoint("noop")(noop)

    await queuer.run()


def pgqueuer_sender(url: str) -> Callable[[int], str]:
    """Returns a sender with a connection and a loop of its own."""
    import asyncpg
    from pgqueuer import AsyncpgDriver, Queries

    loop = asyncio.new_event_loop()
    queries = Queries(AsyncpgDriver(loop.run_until_complete(asyncpg.connect(url))))
    return lambda n: str(loop.run_until_complete(queries.enqueue("noop", str(n).encode()))[0])


def dbos(what: str, url: str, body: Callable[[int], None]) -> None:
    """Makes the tables of DBOS, or runs its worker with eight workflows at once; it polls every second, its default."""
    from dbos import DBOS

    DBOS(config={"name": "bench", "system_database_url": url})
    DBOS.workflow(name="noop")(body)
    DBOS.launch()
    DBOS.register_queue(QUEUE, worker_concurrency=SLOTS)
    while what == "work":
        time.sleep(1)
    DBOS.destroy()


def dbos_sender(url: str) -> Callable[[int], str]:
    """Returns a sender with a client of its own."""
    from dbos import DBOSClient

    client = DBOSClient(system_database_url=url)
    return lambda n: str(client.enqueue({"workflow_name": "noop", "queue_name": QUEUE}, n).get_workflow_id())


def celery_app(url: str) -> Any:
    """Returns a Celery application that acknowledges a job after its end."""
    from celery import Celery

    app = Celery(QUEUE, broker=url, set_as_current=False)
    app.conf.update(task_acks_late=True, task_ignore_result=True, task_default_queue="bench-celery")
    return app


def celery(what: str, url: str, body: Callable[[int], None]) -> None:
    """Runs a worker of Celery with eight threads."""
    app = celery_app(url)
    app.task(name="noop")(body)
    app.worker_main(["worker", "-P", "threads", "-c", str(SLOTS), "-n", f"{os.getpid()}@bench", "-l", "ERROR"])


def celery_sender(url: str) -> Callable[[int], str]:
    """Returns a sender."""
    app = celery_app(url)
    return lambda n: numbered(n, app.send_task("noop", args=[n]))


def dramatiq_broker(url: str) -> Any:
    """Returns the broker of Dramatiq."""
    from dramatiq.brokers.redis import RedisBroker

    return RedisBroker(url=url)


def dramatiq(what: str, url: str, body: Callable[[int], None]) -> None:
    """Runs a worker of Dramatiq with eight threads."""
    from dramatiq import Worker, actor

    broker = dramatiq_broker(url)
    actor(actor_name="noop", queue_name=QUEUE, broker=broker)(body)
    Worker(broker, worker_threads=SLOTS).start()
    while True:
        time.sleep(1)


def dramatiq_sender(url: str) -> Callable[[int], str]:
    """Returns a sender."""
    from dramatiq import Message

    broker = dramatiq_broker(url)
    broker.declare_queue(QUEUE)
    return lambda n: numbered(n, broker.enqueue(Message(QUEUE, "noop", (n,), {}, {})))


WORKERS: dict[str, Callable[[str, str, Callable[[int], None]], None]] = {
    "procrastinate": procrastinate, "pgqueuer": pgqueuer, "dbos": dbos, "celery": celery, "dramatiq": dramatiq,
}  # fmt: skip
SENDERS: dict[str, Callable[[str], Callable[[int], str]]] = {
    "procrastinate": procrastinate_sender, "pgqueuer": pgqueuer_sender, "dbos": dbos_sender, "celery": celery_sender,
    "dramatiq": dramatiq_sender,
}  # fmt: skip


if __name__ == "__main__":
    _, name, what, url, file = sys.argv

    def noop(n: int) -> None:
        """Notes that it ran."""
        note(n)

    note = note_end(file)
    WORKERS[name](what, url, noop)
