"""`python -m tests.benchmarks.queue`: measures Norn's queue and others in turns; prints a table and, as the last line,
a JSON object.

All of them use one PostgreSQL with fsync on, and one broker that keeps nothing on disk. While one is measured, the
others are stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.benchmarks.queue.figures import Turn, medians, table
from tests.benchmarks.queue.norn import Norn
from tests.benchmarks.queue.peers import ALL, Peer
from tests.benchmarks.queue.rows import ROWS, Lengths
from tests.benchmarks.queue.subject import Stores, Subject
from tests.servers import Broker, Postgres

SHORT = Lengths(jobs=100, seconds=3, held=10, troubled=25, lost_after=40)


def main() -> None:
    """Measures the requested queues; at SIGTERM it also ends its processes."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    asked = _asked()
    lengths = SHORT if asked.short else Lengths(asked.jobs, asked.seconds, asked.held)
    found: list[Turn] = []
    with _stores() as stores:
        subjects = [_subject(stores, name, asked) for name in asked.queues]
        for turn in range(asked.rounds):
            for row in asked.rows:
                for subject in subjects:
                    found.append((subject.name, ROWS[row](stores, subject, lengths)))
                    figures = {name: round(value, 2) for name, value in found[-1][1].items()}
                    print(f"round {turn + 1}, {row}, {subject.name}: {figures}", flush=True)
    versions = {subject.name: subject.version for subject in subjects}
    norn = f"Norn with {asked.workers} workers of {asked.slots} slots"
    print(f"\n{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}, {norn}: "
          f"{versions}\n")  # fmt: skip
    print(table(found), end="\n\n")
    about = {"versions": versions, "jobs": lengths.jobs, "workers": asked.workers, "slots": asked.slots}
    print(json.dumps({"bench": "queue", **about, "rows": medians(found)}))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-queue")
    names, usual = ("norn", *ALL), Lengths()
    parser.add_argument("queues", nargs="*", default=list(names), help=f"some of {', '.join(names)}")
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS), help="what is measured (all)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each row and queue (3)")
    parser.add_argument("--jobs", type=int, default=usual.jobs, help=f"jobs of the row drain ({usual.jobs})")
    parser.add_argument("--seconds", type=float, default=usual.seconds, help=f"of each load ({usual.seconds:g})")
    parser.add_argument("--held", type=float, default=usual.held, help=f"seconds of the horizon ({usual.held:g})")
    parser.add_argument("--workers", type=int, default=1, help="worker processes of Norn (1)")
    parser.add_argument("--slots", type=int, default=32, help="slots of each worker process of Norn (32)")
    parser.add_argument("--short", action="store_true", help="one round of 100 jobs and 3 s, to see that it works")
    asked = parser.parse_args()
    if unknown := set(asked.queues) - set(names):
        parser.error(f"{', '.join(sorted(unknown))}: the queues are {', '.join(names)}")
    if asked.short:
        asked.rounds = 1
    return asked


def _subject(stores: Stores, name: str, asked: argparse.Namespace) -> Subject:
    return Norn(stores, asked.workers, asked.slots) if name == "norn" else Peer(stores, name)


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


if __name__ == "__main__":
    main()
