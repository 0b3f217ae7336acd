"""`python -m tests.benchmarks.queue`: Norn's queue beside others, in turns; a table, and as last line a JSON object.

All are on one PostgreSQL with fsync on and one broker without a disk. While one is measured the others are stopped.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.benchmarks.processes import cpu_seconds, descendants
from tests.benchmarks.queue.counting import wal_position
from tests.benchmarks.queue.figures import QueueTurn, rows, table
from tests.benchmarks.queue.norn import Norn
from tests.benchmarks.queue.peers import ALL, Peer
from tests.benchmarks.queue.subject import Stores, Subject
from tests.servers import Broker, Postgres, wait_until

CLIENTS, RATE, WARM = 8, 20, 16
_numbers = itertools.count()


def main() -> None:
    """Measures what the command line requests; at SIGTERM it ends its processes."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    asked = _asked()
    found: list[QueueTurn] = []
    with _stores() as stores:
        subjects = [Norn(stores) if name == "norn" else Peer(stores, name) for name in asked.queues]
        for turn in range(asked.rounds):
            for subject in subjects:
                found.append(_turn(stores, subject, asked.jobs, asked.seconds))
                print(f"round {turn + 1}, {found[-1]}", flush=True)
    versions = {subject.name: subject.version for subject in subjects}
    print(f"\n{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}: {versions}\n")
    print(table(found), end="\n\n")
    print(json.dumps({"bench": "queue", "versions": versions, "jobs": asked.jobs, "rows": rows(found)}))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-queue")
    names = ("norn", *ALL)
    parser.add_argument("queues", nargs="*", default=list(names), help=f"some of {', '.join(names)}")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each queue (3)")
    parser.add_argument("--jobs", type=int, default=1000, help="jobs that are accepted, and then drained (1000)")
    parser.add_argument("--seconds", type=int, default=15, help=f"seconds of {RATE} jobs/s (15)")
    parser.add_argument("--short", action="store_true", help="one round of 100 jobs and 3 s, to see that it works")
    asked = parser.parse_args()
    if unknown := set(asked.queues) - set(names):
        parser.error(f"{', '.join(sorted(unknown))}: the queues are {', '.join(names)}")
    if asked.short:
        asked.rounds, asked.jobs, asked.seconds = 1, 100, 3
    return asked


@contextmanager
def _stores() -> Iterator[Stores]:
    with ExitStack() as ending:
        home = Path(tempfile.mkdtemp(prefix="norn-bench-"))
        if not os.environ.get("NORN_BENCH_KEEP"):
            ending.callback(shutil.rmtree, home, ignore_errors=True)
        home.chmod(0o755)
        stores = Stores(home, Postgres(home / "pg", fsync="on"), Broker(home / "broker"))
        ending.callback(stores.postgres.stop)
        ending.callback(stores.broker.stop)
        yield stores


def _turn(stores: Stores, subject: Subject, jobs: int, seconds: int) -> QueueTurn:
    """Starts the workers, stops them while jobs are accepted, lets them drain; then accepts jobs at a steady rate."""
    subject.start()
    try:
        sent = _sent(subject, WARM)
        wait_until(lambda: _ended(subject, sent), 60, f"{subject.name} has run a first job")
        stores.postgres.execute("CHECKPOINT")
        _signal(subject, signal.SIGSTOP)
        wal, server = wal_position(stores.postgres), cpu_seconds(stores.postgres.process.pid)
        began = time.time()
        sent = _sent(subject, jobs)
        accepted = time.time() - began
        workers, released = _cpu(subject), time.time()
        _signal(subject, signal.SIGCONT)
        wait_until(lambda: _ended(subject, sent), 300, f"{subject.name} has drained")
        ends = subject.ends()
        drained = max(ends[n] for n in sent) - released
        burst = (
            wal_position(stores.postgres) - wal,
            cpu_seconds(stores.postgres.process.pid) - server,
            _cpu(subject) - workers,
        )
        return QueueTurn.of(subject.name, jobs, accepted, drained, burst, _paced(subject, seconds))
    finally:
        subject.stop()


def _paced(subject: Subject, seconds: int) -> list[float]:
    """Sends jobs at a steady rate, and returns for each the seconds from its sending to its end."""
    send, sent, start = subject.sender(), {}, time.monotonic()
    for k in range(seconds * RATE):
        time.sleep(max(0.0, start + k / RATE - time.monotonic()))
        n = next(_numbers)
        sent[n] = time.time()
        send(n)
    wait_until(lambda: _ended(subject, sent), 60, f"{subject.name} has run the paced jobs")
    ends = subject.ends()
    return [ends[n] - at for n, at in sent.items()]


def _sent(subject: Subject, count: int) -> list[int]:
    """Sends jobs from eight threads, and returns their numbers."""
    local = threading.local()

    def one(n: int) -> None:
        send: Callable[[int], None] | None = getattr(local, "send", None)
        if send is None:
            send = local.send = subject.sender()
        send(n)

    numbers = list(itertools.islice(_numbers, count))
    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(one, numbers))
    return numbers


def _ended(subject: Subject, sent: Sequence[int] | dict[int, float]) -> bool:
    return set(sent) <= subject.ends().keys()


def _cpu(subject: Subject) -> float:
    return sum(cpu_seconds(pid) for pid in subject.pids())


def _signal(subject: Subject, number: int) -> None:
    for pid in subject.pids():
        for each in (pid, *descendants(pid)):
            os.kill(each, number)


if __name__ == "__main__":
    main()
