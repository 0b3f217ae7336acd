"""`python -m tests.benchmarks.router`: starts all proxies, measures them in turns, and prints a table and, as the last
line, a JSON object.

A turn takes a few seconds, so that everything else on the machine affects all proxies alike.
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
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.benchmarks.router.figures import Stretch, as_json, rows, table, targets
from tests.benchmarks.router.load import KINDS, Kind, load
from tests.benchmarks.router.norn import NornRouter
from tests.benchmarks.router.proxies import Starter, Subject, caddy, haproxy, nginx, nginx_kept, replicas

PROXIES: dict[str, Starter] = {
    "norn": NornRouter,
    "caddy": caddy,
    "nginx": nginx,
    "nginx-keepalive": nginx_kept,
    "haproxy": haproxy,
}
WARM_SECONDS = 1


def main() -> None:
    """Measures what the command line requests; at SIGTERM it also ends the processes that it started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    asked = _asked()
    with _running(asked.proxies) as (home, subjects):
        versions = {subject.name: subject.version for subject in subjects}
        found = rows(_measured(subjects, asked.rounds, asked.seconds, home))
    print(f"\n{os.cpu_count()} cores, Python {platform.python_version()}, in turns: {versions}\n")
    print(table(found), end="\n\n")
    compared = targets(found) if {"norn", "caddy", "nginx"} <= set(versions) else []
    print(json.dumps({"bench": "router", "versions": versions, "rows": as_json(found), "targets": compared}))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-router")
    parser.add_argument("proxies", nargs="*", default=list(PROXIES), help=f"some of {', '.join(PROXIES)}")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each proxy with each kind of request (7)")
    parser.add_argument("--seconds", type=int, default=2, help="seconds of each turn (2)")
    parser.add_argument("--short", action="store_true", help="one round of a second each, to see that it works")
    asked = parser.parse_args()
    if unknown := set(asked.proxies) - set(PROXIES):
        parser.error(f"{', '.join(sorted(unknown))}: the proxies are {', '.join(PROXIES)}")
    if asked.short:
        asked.rounds = asked.seconds = 1
    return asked


@contextmanager
def _running(names: Sequence[str]) -> Iterator[tuple[Path, list[Subject]]]:
    """Starts replicas and proxies in a directory of their own, and ends them."""
    with ExitStack() as ending:
        home = Path(tempfile.mkdtemp(prefix="norn-bench-"))
        if not os.environ.get("NORN_BENCH_KEEP"):
            ending.callback(shutil.rmtree, home, ignore_errors=True)
        home.chmod(0o755)
        program, ports = replicas(home)
        ending.callback(program.stop)
        subjects = []
        for name in names:
            subjects.append(PROXIES[name](home, ports))
            ending.callback(subjects[-1].stop)
        yield home, subjects


def _measured(subjects: Sequence[Subject], rounds: int, seconds: int, home: Path) -> Iterator[Stretch]:
    for subject in subjects:
        load(KINDS[0], subject.port, WARM_SECONDS, home)
    for n in range(rounds):
        for kind in KINDS:
            print(f"round {n + 1} of {rounds}: {kind.name}", flush=True)
            for subject in subjects[n % len(subjects) :] + subjects[: n % len(subjects)]:
                yield _stretch(subject, kind, seconds, home)


def _stretch(subject: Subject, kind: Kind, seconds: int, home: Path) -> Stretch:
    before = subject.cpu()
    seen = load(kind, subject.port, seconds, home)
    return Stretch(subject.name, kind.name, seen, subject.cpu() - before)


if __name__ == "__main__":
    main()
