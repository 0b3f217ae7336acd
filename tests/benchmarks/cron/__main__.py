"""`python -m tests.benchmarks.cron`: measures one row of the results after the other; prints a table at the end and, as
the last line, a JSON object.

An argument names a row as `scheduler:schedules:minutes`, or as `norn:schedules:minutes:seconds` for schedules with a
period of `seconds`. A scheduler's name alone selects all its rows of docs/benchmarks.md. Without arguments all rows are
measured.
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
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.cron.figures import runs_table, table
from tests.benchmarks.cron.norn import Norn
from tests.benchmarks.cron.peers import RedBeat, SqlBeat, StockBeat
from tests.benchmarks.cron.subject import MINUTE, Subject, measure
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
    "norn:600:30:10", "norn:800:30:10", "norn:1000:30:10",
)  # fmt: skip
SHORT = ("norn:100:1", "norn:100:1:10", *(f"{name}:100:1" for name in PEERS))


@dataclass(frozen=True)
class Wanted:
    """One row to measure: a scheduler, its number of schedules, the minutes of the measurement, and the seconds between
    two occurrences.
    """

    scheduler: str
    schedules: int
    minutes: int
    every: int = MINUTE

    @classmethod
    def of(cls, word: str) -> Wanted:
        """Reads `scheduler:schedules:minutes[:seconds]`; raises ValueError."""
        name, *numbers = word.split(":")
        if name not in SUBJECTS or len(numbers) not in (2, 3) or not all(n.isdigit() and int(n) for n in numbers):
            raise ValueError(word)
        found = cls(name, *map(int, numbers))
        if MINUTE % found.every or (found.every != MINUTE and name != "norn"):
            raise ValueError(word)
        return found

    def __str__(self) -> str:
        often = "minute" if self.every == MINUTE else f"{self.every} seconds"
        return f"{self.scheduler}: {self.schedules:,} schedules of every {often}, for {self.minutes} min"


def main() -> None:
    """Measures the requested rows. At SIGTERM it also ends the processes that it started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rows = []
    for wanted in _wanted():
        print(f"measuring {wanted}", flush=True)
        rows.append(_one(SUBJECTS[wanted.scheduler], wanted))
        print(json.dumps(rows[-1]), flush=True)
    print(f"\n{os.cpu_count()} cores, Python {platform.python_version()}, one scheduler after the other\n")
    print(table(rows), runs_table(rows), sep="\n\n", end="\n\n")
    print(json.dumps({"bench": "cron", "cores": os.cpu_count(), "rows": rows}))


def _wanted() -> list[Wanted]:
    parser = argparse.ArgumentParser(prog="make bench-cron")
    parser.add_argument("rows", nargs="*", help="scheduler:schedules:minutes[:seconds], as in norn:5000:10; or norn")
    parser.add_argument("--short", action="store_true", help="a minute of 100 schedules each, to see that it works")
    given = parser.parse_args()
    all_rows = SHORT if given.short else DEFAULT
    words = [row for word in given.rows or SUBJECTS for row in _rows_of(word, all_rows)]
    try:
        return [Wanted.of(word) for word in words]
    except ValueError as error:
        parser.error(f"{error} is not scheduler:schedules:minutes, or norn:schedules:minutes:seconds with seconds that "
                     f"divide a minute; the schedulers are {', '.join(SUBJECTS)}")  # fmt: skip


def _rows_of(word: str, rows: tuple[str, ...]) -> list[str]:
    """Returns all rows of a scheduler whose name is given alone; otherwise the word itself."""
    return [row for row in rows if row.startswith(f"{word}:")] if word in SUBJECTS else [word]


def _one(make: Callable[[Path, Broker, Postgres], Subject], wanted: Wanted) -> dict[str, object]:
    """Measures one row with a PostgreSQL and a broker of its own, which keep their data on disk as in production."""
    home = Path(tempfile.mkdtemp(prefix="norn-bench-"))
    home.chmod(0o755)
    postgres = Postgres(home / "pg", fsync="on", track_commit_timestamp="on")
    broker = Broker(home / "broker")
    subject = make(home, broker, postgres)
    try:
        return measure(subject, wanted.schedules, wanted.minutes, wanted.every).to_json()
    finally:
        subject.close()
        broker.stop()
        postgres.stop()
        if not os.environ.get("NORN_BENCH_KEEP"):
            shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
