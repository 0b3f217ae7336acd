"""`python -m tests.benchmarks.cron`: one row after the other, a table at the end, and as last line a JSON object.

The rows are written `scheduler:schedules:minutes`; without any, those of docs/benchmarks.md are measured.
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
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.cron.figures import runs_table, table
from tests.benchmarks.cron.norn import Norn
from tests.benchmarks.cron.peers import RedBeat, SqlBeat, StockBeat
from tests.benchmarks.cron.subject import Subject, measure
from tests.servers import Broker, Postgres

SUBJECTS: dict[str, Callable[[Path, Broker, Postgres], Subject]] = {
    "norn": Norn,
    "stock": StockBeat,
    "redbeat": RedBeat,
    "sqlalchemy": SqlBeat,
}
PEERS = ("stock", "redbeat", "sqlalchemy")
DEFAULT = (
    *(f"{name}:{count}:2" for count in (100, 1000, 5000) for name in PEERS),
    "norn:100:2", "norn:1000:2", "norn:5000:10", "norn:20000:5", "norn:50000:2",
)  # fmt: skip
SHORT = tuple(f"{name}:100:1" for name in ("norn", *PEERS))


def main() -> None:
    """Measures what was asked for; told to end, it takes its processes with it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rows = []
    for word in _wanted():
        name, count, minutes = word.split(":")
        print(f"measuring {name}: {int(count):,} schedules of every minute, for {minutes} min", flush=True)
        rows.append(_one(SUBJECTS[name], int(count), int(minutes)))
        print(json.dumps(rows[-1]), flush=True)
    print(f"\n{os.cpu_count()} cores, Python {platform.python_version()}, one scheduler after the other\n")
    print(table(rows), runs_table(rows), sep="\n\n", end="\n\n")
    print(json.dumps({"bench": "cron", "cores": os.cpu_count(), "rows": rows}))


def _wanted() -> list[str]:
    parser = argparse.ArgumentParser(prog="make bench-cron")
    parser.add_argument("rows", nargs="*", help="scheduler:schedules:minutes, as in norn:5000:10")
    parser.add_argument("--short", action="store_true", help="a minute of 100 schedules each, to see that it works")
    given = parser.parse_args()
    wanted = given.rows or list(SHORT if given.short else DEFAULT)
    for word in wanted:
        name, *numbers = word.split(":")
        if name not in SUBJECTS or len(numbers) != 2 or not all(n.isdigit() and int(n) for n in numbers):
            parser.error(f"{word} is not scheduler:schedules:minutes; the schedulers are {', '.join(SUBJECTS)}")
    return wanted


def _one(make: Callable[[Path, Broker, Postgres], Subject], schedules: int, minutes: int) -> dict[str, object]:
    """Measures with a PostgreSQL and a broker of its own, which keep their data as they do in production."""
    home = Path(tempfile.mkdtemp(prefix="norn-bench-"))
    home.chmod(0o755)
    postgres = Postgres(home / "pg", fsync="on", track_commit_timestamp="on")
    broker = Broker(home / "broker")
    subject = make(home, broker, postgres)
    try:
        return measure(subject, schedules, minutes).to_json()
    finally:
        subject.close()
        broker.stop()
        postgres.stop()
        if not os.environ.get("NORN_BENCH_KEEP"):
            shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
