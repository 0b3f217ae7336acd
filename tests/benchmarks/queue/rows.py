"""The rows of the comparison. For each row, workers of a queue are started, and one property of the queue is
measured.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import psycopg2

from tests.benchmarks.processes import cpu_seconds, descendants
from tests.benchmarks.queue.counting import dead_rows, wal_position
from tests.benchmarks.queue.loads import Clients, await_ends
from tests.benchmarks.queue.subject import Stores, Subject
from tests.benchmarks.tables import percentile

WARM = 16
RATE = 20
KILL_EVERY = 10.0
Figures = dict[str, float]


@dataclass(frozen=True)
class Lengths:
    """How much is measured. `jobs`: how many jobs the row `drain` sends.

    The others are durations in seconds. `seconds`: of a load without failures. `held`: how long a session keeps dead
    rows from being removed. `troubled`: of a load with failures. `lost_after`: a job that has not ended this long after
    the end of the load with failures counts as lost.
    """

    jobs: int = 2000
    seconds: float = 20
    held: float = 300
    troubled: float = 60
    lost_after: float = 120


@contextmanager
def _started(subject: Subject) -> Iterator[None]:
    """Starts the workers, and waits until they have run some jobs."""
    subject.start()
    try:
        before, clients = subject.ended(), Clients(subject)
        clients.burst(WARM)
        await_ends(subject, before, len(clients.sent.accepted), 60)
        yield
    finally:
        subject.stop()


def drain(stores: Stores, subject: Subject, lengths: Lengths) -> Figures:
    """Freezes the workers while jobs are accepted, then lets them empty the queue. WAL and CPU in the result are per
    job; dead rows are a total.
    """
    with _started(subject):
        stores.postgres.execute("CHECKPOINT")
        _signal(subject, signal.SIGSTOP)
        wal, cpu, before = wal_position(stores.postgres), _cpu(stores, subject), subject.ended()
        clients, began = Clients(subject), time.monotonic()
        clients.burst(lengths.jobs)
        accepted, released = time.monotonic() - began, time.time()
        _signal(subject, signal.SIGCONT)
        await_ends(subject, before, lengths.jobs, 600)
        ends = subject.ends()
        spent = {name: 1000 * (now - cpu[name]) / lengths.jobs for name, now in _cpu(stores, subject).items()}
        written = (wal_position(stores.postgres) - wal) / lengths.jobs
        time.sleep(1.5)  # sessions report their dead rows with a delay
        return {
            "accepted_per_s": lengths.jobs / accepted,
            "drained_per_s": lengths.jobs / (max(ends[job] for job in clients.sent.accepted) - released),
            "wal_bytes": written if subject.durable else 0.0,
            **{f"cpu_{name}_ms": ms for name, ms in spent.items()},
            "cpu_ms": sum(spent.values()),
            "dead_rows": dead_rows(stores.postgres, subject.database) if subject.durable else 0.0,
        }


def paced(_: Stores, subject: Subject, lengths: Lengths) -> Figures:
    """Sends 20 jobs/s."""
    with _started(subject):
        return _lags(subject, RATE, lengths.seconds, "paced")


def eighty(_: Stores, subject: Subject, lengths: Lengths) -> Figures:
    """Sends as many jobs as the queue can run, and then 80% of that rate, for which the lags are measured."""
    with _started(subject):
        before, clients = subject.ended(), Clients(subject)
        most = clients.saturated(lengths.seconds)
        await_ends(subject, before, len(clients.sent.accepted), 120)
        return {"saturated_per_s": most, **_lags(subject, 0.8 * most, lengths.seconds, "eighty")}


def _lags(subject: Subject, rate: float, seconds: float, name: str) -> Figures:
    before, clients = subject.ended(), Clients(subject)
    clients.paced(rate, seconds)
    await_ends(subject, before, len(clients.sent.accepted), 120)
    lags = clients.sent.lags(subject.ends())
    return {f"{name}_p{p}_ms": 1000 * (percentile(lags, p) or 0.0) for p in (50, 95, 99)}


def horizon(stores: Stores, subject: Subject, lengths: Lengths) -> Figures:
    """Sends as many jobs as the queue can run, without and with a session that keeps all dead rows from being removed.

    With that session, only the last fifth of the time is measured.
    """
    if not subject.durable:
        return {}
    with _started(subject):
        before, clients = subject.ended(), Clients(subject)
        free = clients.saturated(lengths.seconds)
        await_ends(subject, before, len(clients.sent.accepted), 120)
        with _old_snapshot(stores, subject):
            Clients(subject).saturated(lengths.held * 0.8)
            held = Clients(subject).saturated(lengths.held * 0.2)
        return {"free_per_s": free, "held_per_s": held, "held_of_free": held / free if free else 0.0}


@contextmanager
def _old_snapshot(stores: Stores, subject: Subject) -> Iterator[None]:
    connection = psycopg2.connect(stores.postgres.url(subject.database))
    connection.set_session(isolation_level="REPEATABLE READ")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class")
    try:
        yield
    finally:
        connection.close()


def kills(_: Stores, subject: Subject, lengths: Lengths) -> Figures:
    """Sends 20 jobs/s while every 10 s one of the workers is killed and replaced."""

    def trouble(done: threading.Event) -> Iterator[float]:
        n, due = 0, time.monotonic() + KILL_EVERY
        while not done.wait(0.5):
            subject.supervise()
            if time.monotonic() >= due:
                yield time.time()
                subject.replace(n)
                n, due = n + 1, due + KILL_EVERY

    return _troubled(subject, lengths, trouble, "kills")


def restart(stores: Stores, subject: Subject, lengths: Lengths) -> Figures:
    """Sends 20 jobs/s while PostgreSQL is stopped immediately, so that it must recover as after a crash, and is started
    again two seconds later.
    """
    if not subject.durable:
        return {}

    def trouble(done: threading.Event) -> Iterator[float]:
        done.wait(lengths.troubled / 3)
        stopped = time.time()
        stores.postgres.stop()
        time.sleep(2)
        stores.postgres.start()
        yield stopped
        while not done.wait(0.5):
            subject.supervise()

    return _troubled(subject, lengths, trouble, "restart")


def _troubled(
    subject: Subject, lengths: Lengths, trouble: Callable[[threading.Event], Iterator[float]], name: str
) -> Figures:
    """Sends jobs while `trouble` causes failures; returns how many accepted jobs were lost or begun twice, and how long
    the queue took to recover.
    """
    done, moments = threading.Event(), list[float]()
    with _started(subject):
        failed, clients = subject.failed(), Clients(subject)
        thread = threading.Thread(target=lambda: moments.extend(trouble(done)))
        thread.start()
        clients.paced(RATE, lengths.troubled)
        done.set()
        thread.join()
        before = time.monotonic()
        while time.monotonic() < before + lengths.lost_after and _open(subject, clients):
            subject.supervise()
            time.sleep(0.5)
        ends, sent = subject.ends(), clients.sent
        twice = sum(count > 1 for job, count in subject.begins().items() if job in sent.accepted)
        return {
            f"{name}_accepted": len(sent.accepted), f"{name}_refused": sent.refused,
            f"{name}_lost": len(set(sent.accepted) - set(ends)), f"{name}_failed": subject.failed() - failed,
            f"{name}_twice": twice,
            f"{name}_recovery_s": max((_recovery(moment, sent.began, ends) for moment in moments), default=0.0),
        }  # fmt: skip


def _open(subject: Subject, clients: Clients) -> bool:
    return bool(set(clients.sent.accepted) - set(subject.ends()))


def _recovery(moment: float, began: Mapping[str, float], ends: Mapping[str, float]) -> float:
    """Returns the longer of two times: how long after the failure the last job ended that was open when it happened;
    and the longest pause between two ends after the failure, where the failure itself counts as the first end.
    """
    open_then = [ends[job] for job, at in began.items() if at < moment < ends.get(job, 0.0)]
    after = sorted(at for job, at in ends.items() if job in began and at > moment)
    pauses = [later - earlier for earlier, later in pairwise([moment, *after])]
    return max([*pauses, max(open_then, default=moment) - moment])


ROWS: dict[str, Callable[[Stores, Subject, Lengths], Figures]] = {
    "drain": drain, "paced": paced, "eighty": eighty, "horizon": horizon, "kills": kills, "restart": restart,
}  # fmt: skip
"""The function that measures each row, by the name of the row."""


def _cpu(stores: Stores, subject: Subject) -> dict[str, float]:
    """Returns the CPU seconds of PostgreSQL, of the queue's own processes, and of the clients in this process."""
    own = sum(cpu_seconds(pid) for pid in (*subject.pids(), *subject.others()))
    return {"postgres": cpu_seconds(stores.postgres.process.pid), "workers": own, "clients": time.process_time()}


def _signal(subject: Subject, number: int) -> None:
    for pid in subject.pids():
        for each in (pid, *descendants(pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, number)
