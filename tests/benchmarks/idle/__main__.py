"""`python -m tests.benchmarks.idle`: measures the memory and CPU of a Norn without work; prints a table and, as the
last line, a JSON object.

The apps are a cron job that runs every minute, and webservers, functions and workers that nobody uses.
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
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks.idle.figures import IdleRow, rows, table, targets
from tests.benchmarks.idle.norn import IdleNorn
from tests.benchmarks.idle.processes import usages

LOOK_SECONDS = 15.0
"""Seconds between two measurements of the memory."""


def main() -> None:
    """Measures what the command line requests; at SIGTERM it also ends the processes that it started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    asked = _asked()
    found: list[IdleRow] = []
    transactions = {}
    with _running() as norn:
        for apps in sorted(asked.apps):
            norn.grow(apps)
            print(f"{apps} apps: measuring for {asked.seconds} s, after {asked.settle} s", flush=True)
            time.sleep(asked.settle)
            before = norn.transactions()
            found += _measured(norn, apps, asked.seconds)
            transactions[apps] = round((norn.transactions() - before) / asked.seconds, 1)
            print(table([row for row in found if row.apps == apps]), end="\n\n", flush=True)
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}; PostgreSQL's transactions/s: {transactions}\n")
    figures = [asdict(row) for row in found]
    print(json.dumps({"bench": "idle", "rows": figures, "transactions": transactions, "targets": targets(found)}))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-idle")
    parser.add_argument("apps", nargs="*", type=int, default=[0, 25], help="numbers of apps, as in 0 25 (0 25)")
    parser.add_argument("--seconds", type=int, default=600, help="seconds to measure with each number of apps (600)")
    parser.add_argument("--settle", type=int, default=90, help="the seconds before that (90)")
    parser.add_argument("--short", action="store_true", help="one minute each, to see that it works")
    asked = parser.parse_args()
    if asked.short:
        asked.seconds = asked.settle = 60
    return asked


@contextmanager
def _running() -> Iterator[IdleNorn]:
    """Starts a Norn in a directory of its own, and ends it."""
    with ExitStack() as ending:
        home = Path(tempfile.mkdtemp(prefix="norn-bench-"))
        if not os.environ.get("NORN_BENCH_KEEP"):
            ending.callback(shutil.rmtree, home, ignore_errors=True)
        home.chmod(0o755)
        norn = IdleNorn(home)
        ending.callback(norn.stop)
        yield norn


def _measured(norn: IdleNorn, apps: int, seconds: float) -> list[IdleRow]:
    began = time.monotonic()
    looks = [usages(norn.where)]
    while (left := began + seconds - time.monotonic()) > 0:
        time.sleep(min(left, LOOK_SECONDS))
        looks.append(usages(norn.where))
    return rows(apps, looks, time.monotonic() - began)


if __name__ == "__main__":
    main()
