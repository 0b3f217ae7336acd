"""`python -m tests.benchmarks.load`: puts loads on a complete Norn with its API; prints a table and, as the last line,
a JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.benchmarks.idle.processes import Usage
from tests.benchmarks.load.http import Answers, answers
from tests.benchmarks.load.norn import PAST_APP, LoadedNorn, loaded
from tests.benchmarks.processes import descendants
from tests.benchmarks.tables import markdown
from tests.servers import wait_until

CLIENTS = 200
CALL = ("POST", "/api/apps/thumb/invoke", b"x")
READS = (
    "/api/apps/thumb", "/api/jobs?limit=20", f"/api/apps/{PAST_APP}/function/history?limit=20", "/api/apps",
    "/api/apps/thumb/function/history?limit=20",
)  # fmt: skip
KILL_EVERY = 10.0
Row = dict[str, object]


@dataclass(frozen=True)
class Asked:
    """What to measure: how many calls each load has, how many slots a worker has, how many past jobs there are, and
    which numbers of workers are compared.
    """

    calls: int
    slots: int
    past: int
    workers: tuple[int, ...]


def main() -> None:
    """Measures the requested loads; at SIGTERM it also ends its processes."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(prog="make bench-load")
    parser.add_argument("loads", nargs="*", default=list(LOADS), help=f"some of {', '.join(LOADS)}")
    parser.add_argument("--calls", type=int, default=10_000, help="calls of each load (10000)")
    parser.add_argument("--slots", type=int, default=32, help="slots of each worker process (32)")
    parser.add_argument(
        "--workers", type=int, nargs="+", default=[1, 2, 4], help="numbers of workers of the load scale"
    )
    parser.add_argument("--short", action="store_true", help="400 calls and 10,000 past jobs, to see that it works")
    given = parser.parse_args()
    if unknown := set(given.loads) - set(LOADS):
        parser.error(f"{', '.join(sorted(unknown))}: the loads are {', '.join(LOADS)}")
    asked = Asked(400 if given.short else given.calls, given.slots, 10_000 if given.short else 1_000_000,
                  tuple(given.workers))  # fmt: skip
    rows: list[Row] = []
    for load in given.loads:
        for row in LOADS[load](asked):
            rows.append(row)
            print(json.dumps(row), flush=True)
    print(f"\n{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}\n")
    print(_table(rows), end="\n\n")
    print(json.dumps({"bench": "load", "cores": os.cpu_count(), "calls": asked.calls, "rows": rows}))


def _called(norn: LoadedNorn, name: str, asked: Asked, trouble: Callable[[threading.Event], None] | None = None) -> Row:
    """Sends asynchronous calls from 200 clients, waits until all have ended, and returns the row. During the
    calls, `trouble` runs on a thread of its own.
    """
    before, done = _memory(norn), threading.Event()
    thread = threading.Thread(target=trouble, args=(done,)) if trouble is not None else None
    if thread is not None:
        thread.start()
    came = answers(norn.stack, min(CLIENTS, asked.calls), asked.calls, lambda _: CALL)
    accepted, began = came.count(202), time.perf_counter()
    wait_until(lambda: norn.open() == 0, 900, "all calls have ended")
    drained = time.perf_counter() - began
    done.set()
    if thread is not None:
        thread.join()
    ends, after = norn.ends(), _memory(norn)
    return {
        "load": name, "workers": len(norn.workers), "requests": len(came.statuses), "accepted": accepted,
        "accepted_per_s": round(accepted / came.seconds), "p50_ms": round(came.ms(50)), "p99_ms": round(came.ms(99)),
        "drained_s": round(drained, 1), "ended_per_s": round(sum(ends.values()) / (came.seconds + drained)),
        "others": came.others(), "lost": len(came.accepted() - norn.ended()),
        "failed": sum(ends.values()) - ends.get("succeeded", 0),
        "twice": norn.begun_twice(), "memory_before": before, "memory_after": after,
    }  # fmt: skip


def _memory(norn: LoadedNorn) -> dict[str, int]:
    """Returns the MiB of memory of each kind of process with their children; shared memory is divided among them."""
    all_of = {kind: [each for pid in pids for each in (pid, *descendants(pid))] for kind, pids in norn.pids().items()}
    return {kind: Usage.of(pids).pss_kib // 1024 for kind, pids in all_of.items()}


def scale(asked: Asked) -> list[Row]:
    """Sends the calls to a Norn with each of the numbers of worker processes (1, 2 and 4 unless others are given)."""
    rows = []
    for workers in asked.workers:
        with loaded(workers=workers, slots=asked.slots) as norn:
            rows.append(_called(norn, "calls", asked))
    return rows


def past(asked: Asked) -> list[Row]:
    """Sends the calls, and reads lists, beside a million past jobs."""
    with loaded(workers=asked.workers[0], slots=asked.slots, past=asked.past) as norn:
        called = _called(norn, f"calls, {asked.past:,} past jobs", asked)
        came = answers(norn.stack, 1, len(READS) * 40, lambda n: ("GET", READS[n % len(READS)], None))
        return [called, _read(norn, f"reads of one client, {asked.past:,} past jobs", came)]


def reads(asked: Asked) -> list[Row]:
    """Sends requests from 200 clients; nine of ten requests only read."""
    with loaded(workers=asked.workers[0], slots=asked.slots) as norn:
        came = answers(norn.stack, CLIENTS, max(CLIENTS * 10, asked.calls),
                       lambda n: CALL if n % 10 == 9 else ("GET", READS[n % len(READS)], None))  # fmt: skip
        row = _read(norn, "200 clients, 90% reads", came)
        wait_until(lambda: norn.open() == 0, 300, "all calls have ended")
        return [row]


def _read(norn: LoadedNorn, name: str, came: Answers) -> Row:
    good = came.count(200) + came.count(202)
    return {
        "load": name, "workers": len(norn.workers), "requests": len(came.statuses), "accepted": good,
        "accepted_per_s": round(good / came.seconds), "p50_ms": round(came.ms(50)), "p99_ms": round(came.ms(99)),
        "others": came.others(),
    }  # fmt: skip


def kills(asked: Asked) -> list[Row]:
    """Sends the calls while a worker is killed every 10 s, and the broker once."""
    with loaded(workers=2, slots=asked.slots) as norn:

        def trouble(done: threading.Event) -> None:
            n = 0
            while not done.wait(KILL_EVERY):
                name = norn.workers[n % 2]
                norn.stack.kill_group(name)
                norn.stack.spawn("invoke", name, name=f"{name}-{n}")
                if n == 1:
                    norn.broker.stop()
                    norn.broker.start()
                n += 1

        return [_called(norn, "calls, a worker killed every 10 s, the broker once", asked, trouble)]


LOADS: dict[str, Callable[[Asked], list[Row]]] = {"scale": scale, "past": past, "reads": reads, "kills": kills}
"""Every load by its name."""

HEAD = ("load", "workers", "requests", "good", "per second", "p50", "p99", "drained after", "ended/s", "lost", "failed",
        "begun twice", "MiB before → after: api", "workers", "postgres")  # fmt: skip


def _table(rows: list[Row]) -> str:
    return markdown([HEAD, *(_line(row) for row in rows)])


def _line(row: Row) -> list[str]:
    before, after = row.get("memory_before"), row.get("memory_after")
    memory = ["–"] * 3
    if isinstance(before, dict) and isinstance(after, dict):
        memory = [f"{before[kind]} → {after[kind]}" for kind in ("api", "workers", "postgres")]
    drained = f"{row['drained_s']} s" if "drained_s" in row else "–"
    return [
        str(row["load"]), *(f"{row[name]:,}" for name in ("workers", "requests", "accepted", "accepted_per_s")),
        f"{row['p50_ms']} ms", f"{row['p99_ms']} ms", drained,
        *(str(row.get(name, "–")) for name in ("ended_per_s", "lost", "failed", "twice")), *memory,
    ]  # fmt: skip


if __name__ == "__main__":
    main()
