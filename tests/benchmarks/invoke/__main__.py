"""`python -m tests.benchmarks.invoke`: measures a call by both runtimes next to a container without Norn; prints a
table and a JSON object.

All are measured in turns, with one image and a trivial program: docker run, the docker SDK, crun in the nest (the
container in which crun starts runs), Norn's two runtimes, and complete calls through HTTP and the ledger. For the calls
there are two Norns, one with Docker and one with the nest. A program of Node is measured too. Then follow the stages of
a run in the nest and of a call, and the containers and calls per second with several callers.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.nest.keeper import NestKeeper
from norn_tasks.store.access.tokens import ensure_bootstrap
from norn_tasks.store.database import migrate
from norn_tasks.store.database.session import Database
from tests.benchmarks.invoke import stages
from tests.benchmarks.invoke.ways import MEMORY, NODE, NODE_MEMORY, NODE_PROGRAM, PROGRAM, Ways, timed
from tests.benchmarks.tables import markdown, percentile
from tests.e2e import apps
from tests.e2e.conftest import clean_up
from tests.e2e.stack import Stack
from tests.nest import made
from tests.servers import Broker, Postgres, wait_until

IMAGE = "busybox:stable"
FUNCTION = 'FROM busybox:stable\nCMD ["echo", "hello"]\n'
ROADS = {"off": "a call by Docker", "auto": "a call by the nest"}


@contextmanager
def norn(postgres: Postgres, home: Path, road: str) -> Iterator[Stack]:
    """Starts a Norn with one function, whose calls run in the nest or in Docker: `road` is the value of NORN_NEST."""
    name = f"norn_{road}"
    postgres.execute(f"CREATE DATABASE {name}")
    migrate.upgrade(postgres.url(name))
    broker = Broker(home / f"broker-{road}")
    place = home / road
    place.mkdir()
    stack = Stack(place, postgres.url(name), broker.url, NORN_NEST=road, NORN_WORKERS_INVOKE="16")
    database = Database(stack.database_url, pool=1)
    ensure_bootstrap(database, stack.home / "token")
    database.dispose()
    try:
        stack.start("api", "invoke", "deploy", "observe", "beat")
        if road == "auto":
            wait_until(lambda: b"runtime:nest" in stack.norn("worker", "list").stdout, 180, "the nest is ready")
        apps.deploy_function(stack, "hello", FUNCTION, "network: none\nfunction: {concurrency: 16, memory: 64m}\n")
        yield stack
    finally:
        stack.stop()
        clean_up(stack)
        broker.stop()


def client_of(stack: Stack) -> httpx.Client:
    """Returns a client that keeps one connection open."""
    token = (stack.home / "token").read_text().strip()
    return httpx.Client(base_url=stack.url, headers={"Authorization": f"Bearer {token}"}, timeout=120)


def caller(stack: Stack) -> Callable[[], None]:
    """Returns a function that makes one call over a connection that stays open."""
    client = client_of(stack)

    def call() -> None:
        answer = client.post("/fn/hello", content=b"")
        assert (answer.status_code, answer.content) == (200, b"hello\n"), answer.text

    return call


def per_second(act: Callable[[], object], callers: int, seconds: float) -> float:
    """Returns how often per second `act` was done by this number of callers."""
    until = time.monotonic() + seconds

    def repeat(_: int) -> int:
        count = 0
        while time.monotonic() < until:
            act()
            count += 1
        return count

    began = time.monotonic()
    with ThreadPoolExecutor(callers) as pool:
        done = sum(pool.map(repeat, range(callers)))
    return done / (time.monotonic() - began)


def main() -> None:
    """Measures, and prints the tables and the JSON object."""
    asked = _asked()
    engine = EngineClient(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
    image = engine.image(IMAGE)
    assert image is not None, f"docker pull {IMAGE}"
    home = Path(tempfile.mkdtemp(prefix="norn-bench-"))
    home.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        postgres = Postgres(home / "pg", fsync="on")
        stack.callback(postgres.stop)
        (home / "nest").mkdir()
        keeper = stack.enter_context(made(engine, home / "nest"))
        ways = Ways(engine, keeper, str(image["Id"])).all()
        ways["Norn's nest runtime"]()  # pulls the image
        ways |= _of_node(engine, keeper)
        norns = {title: stack.enter_context(norn(postgres, home, road)) for road, title in ROADS.items()}
        ways |= {title: timed(caller(each)) for title, each in norns.items()}
        found: dict[str, list[float]] = {title: [] for title in ways}
        for n in range(asked.rounds + 1):
            for title, measure in ways.items():
                took = measure()
                if n:
                    found[title].append(took)
        called = norns["a call by the nest"]
        parts = _stages(keeper, str(image["Id"]), called, asked.rounds)
        _report(found, parts, _throughput(ways, asked.callers, asked.seconds))


def _of_node(engine: EngineClient, keeper: NestKeeper) -> dict[str, Callable[[], float]]:
    """Returns the ways to run a program of Node, whose own start takes most of the time; empty if its image is
    missing.
    """
    image = engine.image(NODE)
    if image is None:
        print(f"without {NODE}: docker pull {NODE}", file=sys.stderr)
        return {}
    ways = Ways(engine, keeper, str(image["Id"]), NODE_PROGRAM, NODE_MEMORY).all()
    ways["Norn's nest runtime"]()
    return {f"Node, {title}": measure for title, measure in ways.items()}


def _stages(keeper: NestKeeper, image: str, stack: Stack, rounds: int) -> dict[str, stages.Medians]:
    client = client_of(stack)
    runs = [stages.of_run(keeper, image, PROGRAM, MEMORY) for _ in range(rounds)]
    calls = [stages.of_call(stack, client, "hello") for _ in range(rounds)]
    return {"run": stages.medians(runs), "call": stages.medians(calls)}


def _throughput(ways: dict[str, Callable[[], float]], callers: list[int], seconds: float) -> dict[str, list[float]]:
    alone = ("docker run --rm", "crun run, in the nest")
    titles = [title for title in ways if title not in alone and not title.startswith("Node")]
    found: dict[str, list[float]] = {title: [] for title in titles}
    for count in callers:
        for title in titles:
            found[title].append(round(per_second(ways[title], count, seconds), 1))
    return found


def _report(found: dict[str, list[float]], parts: dict[str, stages.Medians], rates: dict[str, list[float]]) -> None:
    figures = {
        title: {"min": min(each), "p50": statistics.median(each), "p99": percentile(each, 99) or 0.0}
        for title, each in found.items()
    }
    rows = [("way", "min ms", "p50 ms", "p99 ms", "per second with more callers")]
    for title, each in figures.items():
        fast = ", ".join(map(str, rates.get(title, ()))) or "–"
        rows.append((title, *(f"{each[key]:.1f}" for key in ("min", "p50", "p99")), fast))
    print(markdown(rows))
    for of, words in (("run", stages.IN_THE_NEST), ("call", stages.OF_A_CALL)):
        lines = [(f"stage of a {of}", "contains", "p50 ms", "p99 ms")]
        lines += [(word, words[word], f"{each['p50']:.1f}", f"{each['p99']:.1f}") for word, each in parts[of].items()]
        print("\n" + markdown(lines))
    print(json.dumps({"load": os.getloadavg()[0], "ms": figures, "stages": parts, "per_second": rates}))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.invoke", description=__doc__)
    parser.add_argument("--rounds", type=int, default=40, help="runs of each way")
    parser.add_argument("--seconds", type=float, default=10, help="seconds for each number of callers")
    parser.add_argument("--callers", type=int, nargs="*", default=[1, 4, 16], help="callers at once")
    return parser.parse_args()


if __name__ == "__main__":
    main()
