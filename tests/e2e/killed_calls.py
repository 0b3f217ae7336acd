"""Calls at a steady rate whose workers are killed: the answer to each caller, and whether code began twice."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import httpx

from tests.e2e import apps
from tests.e2e.fast_road import client
from tests.e2e.stack import Stack
from tests.e2e.witness import Witness

APP = "steady"
WORKERS = ("invoke", "invoke-2", "invoke-3")
_FUNCTION = """FROM busybox:stable
CMD ["sh", "-c", "n=$(cat); echo $n | nc -w 60 {host} {port}; echo done $n"]
"""
_ROWS = """SELECT x.path, x.state, x.cause, j.state AS job, j.runs, j.claims,
 array(SELECT e.data ->> 'worker' FROM events e WHERE e.job_id = j.id AND e.kind = 'job.claimed') AS workers
 FROM func_executions x JOIN jobs j ON j.id = x.job_id WHERE x.app = %s AND x.path LIKE %s"""

_REFUSALS = ("429 queue_full", "503 unavailable")
"""The answers to a call that is not accepted: too many calls wait, or no worker is there at that moment."""


@dataclass(frozen=True)
class KilledAnswer:
    """The answer to the call `number`. `said` is `ok`, `accepted`, the status and the code of an error, or the name of
    an exception.
    """

    number: int
    said: str


@dataclass
class Judgement:
    """The results of the calls of a stream."""

    answers: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def succeeded(self) -> float:
        """The fraction of the calls that succeeded."""
        return self.ends["succeeded"] / max(1, sum(self.ends.values()))


def deploy(stack: Stack, witness: Witness, more: str = "") -> None:
    """Deploys a function that reports each start of its code to the witness."""
    function = _FUNCTION.format(host=witness.host, port=witness.port)
    apps.deploy_function(stack, APP, function, f"function: {{timeout: 120, concurrency: 16, memory: 32m}}\n{more}")


def sustained(stack: Stack, callers: int, seconds: float) -> float:
    """Returns how many calls per second this number of callers makes."""
    until, count = time.monotonic() + seconds, 0
    lock = threading.Lock()

    def repeat(first: int) -> None:
        nonlocal count
        number = first
        while time.monotonic() < until:
            assert called(http, number, "rate").said == "ok"
            number += 1
            with lock:
                count += 1

    with client(stack, 150) as http, ThreadPoolExecutor(callers) as pool:
        began = time.monotonic()
        list(pool.map(repeat, range(10**6, 10**6 * (callers + 1), 10**6)))
        return count / (time.monotonic() - began)


def streamed(
    stack: Stack, rate: float, seconds: float, path: str, trouble: AbstractContextManager[object]
) -> list[KilledAnswer]:
    """Sends calls at a steady rate, no matter how long the answers take; `trouble` ends when all calls are sent."""
    with client(stack, 150) as http, ThreadPoolExecutor(500) as pool:
        began, waiting = time.monotonic(), []
        with trouble:
            for number in range(int(rate * seconds)):
                time.sleep(max(0.0, began + number / rate - time.monotonic()))
                waiting.append(pool.submit(called, http, number, path))
        return [each.result() for each in waiting]


def called(http: httpx.Client, number: int, path: str) -> KilledAnswer:
    """Makes the call with this number."""
    try:
        answer = http.post(f"/fn/{APP}/{path}/{number}", content=f"{path}-{number}\n".encode())
    except httpx.TransportError as error:
        return KilledAnswer(number, type(error).__name__)
    if answer.status_code == 202:
        return KilledAnswer(number, "accepted")
    if answer.status_code == 200:
        return KilledAnswer(number, "ok" if answer.text == f"done {path}-{number}\n" else f"200 {answer.text!r}")
    return KilledAnswer(number, f"{answer.status_code} {answer.json()['code']}")


class Killer:
    """Kills one worker after the other with SIGKILL, and starts each again at once."""

    def __init__(self, stack: Stack, every: float) -> None:
        self._stack, self._every, self._over = stack, every, threading.Event()
        self.kills: list[str] = []
        self._thread = threading.Thread(target=self._kill)

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _kill(self) -> None:
        while not self._over.wait(self._every):
            name = WORKERS[len(self.kills) % len(WORKERS)]
            self._stack.kill(name, signal.SIGKILL)
            self._stack.spawn("invoke", name)
            self.kills.append(name)


class Once:
    """Does one thing some seconds after the block began, and another thing two seconds later."""

    def __init__(self, after: float, act: Callable[[], None], then: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=self._play, args=[after, act, then])

    def __enter__(self) -> Once:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    @staticmethod
    def _play(after: float, act: Callable[[], None], then: Callable[[], None]) -> None:
        time.sleep(after)
        act()
        time.sleep(2)
        then()


def said(answers: list[KilledAnswer]) -> dict[str, int]:
    """Returns how many callers got which answer."""
    return dict(Counter(each.said for each in answers))


def judged(stack: Stack, witness: Witness, answers: list[KilledAnswer], path: str) -> Judgement:
    """Compares the answers with the rows and with what the witness saw."""
    found = Judgement(Counter(each.said for each in answers))
    rows: dict[int, list[dict[str, object]]] = {}
    for row in stack.rows(_ROWS, APP, f"/{path}/%"):
        rows.setdefault(int(str(row["path"]).rpartition("/")[2]), []).append(row)
    for each in answers:
        mine = rows.get(each.number, [])
        if each.said in _REFUSALS and not mine:
            found.ends[f"refused: {each.said}"] += 1
            continue
        end = f"{mine[0]['state']} {mine[0]['cause'] or ''}".strip() if len(mine) == 1 else f"{len(mine)} rows"
        found.ends[end] += 1
        begun = witness.begun[f"{path}-{each.number}"]
        if not _true(each, mine, begun):
            found.wrong.append(f"{each}: begun {begun} times, recorded {mine}")
    return found


def _true(answer: KilledAnswer, rows: list[dict[str, object]], begun: int) -> bool:
    if len(rows) != 1 or begun > 1 or int(str(rows[0]["runs"])) > 1:
        return False
    state, cause = rows[0]["state"], rows[0]["cause"]
    if state == "succeeded":
        return begun == 1 and answer.said in ("ok", "accepted")
    return (state, cause) == ("error", "worker_lost") and answer.said in ("502 worker_lost", "accepted")
