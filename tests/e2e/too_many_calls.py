"""Many callers of a small function: the answer that each gets, how long it waits for the answer, and how much memory
runs may use.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import docker
import httpx

from tests.e2e import apps
from tests.e2e.fast_road import address_of, client, inside
from tests.e2e.stack import Stack

APP = "busy"
_FUNCTION = 'FROM busybox:stable\nCMD ["sh", "-c", "sleep {}; cat"]\n'


@dataclass(frozen=True)
class TimedAnswer:
    """The status and the code of an answer, and the seconds that its caller waited."""

    status: int
    code: str
    seconds: float
    retry_after: bool


def deploy(stack: Stack, seconds: float, **options: object) -> None:
    """Deploys a function that takes its time."""
    given = ", ".join(f"{name}: {each}" for name, each in options.items())
    apps.deploy_function(stack, APP, _FUNCTION.format(seconds), f"function: {{{given}}}\n")


def call_often(stack: Stack, calls: int, callers: int) -> list[TimedAnswer]:
    """Makes calls with this number of callers; each sends its next call when it has an answer."""
    with client(stack, 120) as http, ThreadPoolExecutor(callers) as pool:
        return list(pool.map(lambda _: _called(http), range(calls)))


def _called(http: httpx.Client) -> TimedAnswer:
    began = time.monotonic()
    answer = http.post(f"/fn/{APP}", content=b"x")
    took = time.monotonic() - began
    code = "" if answer.status_code == 200 else str(answer.json()["code"])
    return TimedAnswer(answer.status_code, code, took, "Retry-After" in answer.headers)


def counted(answers: list[TimedAnswer]) -> str:
    """Returns how many callers got which answer, and the longest waits, in one line."""
    kinds = Counter(f"{each.status} {each.code}".strip() for each in answers)
    found = []
    for kind, count in sorted(kinds.items()):
        waits = sorted(each.seconds for each in answers if f"{each.status} {each.code}".strip() == kind)
        found.append(f"{count} x {kind} (p50 {waits[len(waits) // 2]:.2f} s, longest {waits[-1]:.2f} s)")
    return ", ".join(found)


@dataclass
class MemorySamples:
    """Samples of the memory limits of all runs that existed at a moment: in the nest (the container in which crun
    starts runs), or as containers of Docker.
    """

    most: int = 0
    taken: int = 0
    together: Counter[int] = field(default_factory=Counter)


@contextmanager
def sampled(stack: Stack, every: float = 0.02) -> Iterator[MemorySamples]:
    """Samples the sum of the memory limits of all runs until the block ends."""
    samples, over = MemorySamples(), threading.Event()
    nest, engine = inside(stack), docker.APIClient(base_url=address_of(stack))
    instance = stack.rows("SELECT name FROM instance")[0]["name"]

    def sample() -> None:
        while not over.wait(every):
            limits = nest.limits() if nest.pid else _of_containers(engine, instance)
            samples.taken += 1
            samples.together[len(limits)] += 1
            samples.most = max(samples.most, sum(limits))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()
        engine.close()


def _of_containers(engine: docker.APIClient, instance: str) -> list[int]:
    """Returns the memory limit of each running container of a run."""
    chosen = {"label": [f"norn.io/instance={instance}"], "status": "running"}
    found = []
    for each in engine.containers(filters=chosen):
        try:
            found.append(int(engine.inspect_container(each["Id"])["HostConfig"]["Memory"]))
        except docker.errors.NotFound:
            continue
    return found
