"""Two clients against a Service on a real Kubernetes cluster, in twenty deploys while workers and the API are killed.

One opens a connection for each request; the other keeps ten alive, and repeats a request once if a connection that has
carried an earlier request closes before the first byte of the answer. Any other trouble is a failure. The app exits at
once on SIGTERM, and its image has nothing but the app.

The two clients use different ports, as clients on two machines do. When a pod ends, it resets connections that were
kept, and their ports are free at once. For ten seconds, Linux's connection tracking on the node still leads a new
connection from such a port to the address of that pod, so it is lost, however the pod ended.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.e2e.stack import Stack
from tests.e2e.test_kubernetes import kube, namespace
from tests.kube import KubeKit
from tests.kube_norn import norn_over
from tests.servers import Postgres, allowed, wait_until

DEPLOYS, LEAST = 20, 50_000
RATE, KEPT, LATE = 125, 10, 5.0
"""The requests per second of each client, the connections that one of them keeps alive, and the seconds after which a
response counts as late.
"""
FIRST_PORT = 22_000
"""The port of the first kept connection; the others have the next ports, all below those that the kernel chooses."""
LONGEST = 300
"""Seconds that a deploy with a killed worker may take, on a machine that does other work too."""
ENDS = ("succeeded", "failed", "error", "dead", "superseded", "expired", "cancelled")
SPEC = """app: plain
role: webserver
port: 8080
command: [/plain-server]
healthcheck: /
replicas: 2
hosts: {{internal: plain}}
resources: {{memory: 32m}}
env: {{WORD: word-{n}}}
"""
DOCKERFILE = "FROM scratch\nCOPY plain-server /plain-server\n"
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
__all__ = ["kube", "namespace"]

pytestmark = pytest.mark.timeout(3000)


def say(text: str) -> None:
    """Prints what happened, with the time."""
    print(f"{time.strftime('%H:%M:%S')}.{int(time.time() * 1000) % 1000:03d} {text}", flush=True)


class _ClosedEarly(Exception):
    """The connection closed before the first byte of an answer."""


class Clients:
    """Both clients, on a thread of their own."""

    def __init__(self, host: str) -> None:
        self._host, self._over = host, threading.Event()
        self.answers: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.repeated = 0
        self._kept: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
        self._ports = itertools.count(FIRST_PORT)

    @property
    def asked(self) -> int:
        """The number of requests that have ended."""
        return self.answers.total() + self.failures.total()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Runs both clients during the block, and waits for their last responses."""
        thread = threading.Thread(target=lambda: asyncio.run(self._both()), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join(2 * LATE)

    async def _both(self) -> None:
        places = asyncio.Semaphore(KEPT)

        async def on_a_kept_one() -> str:
            async with places:
                return await self._repeating()

        await asyncio.gather(self._paced("fresh", self._once), self._paced("kept", on_a_kept_one))

    async def _paced(self, name: str, ask: Callable[[], Awaitable[str]]) -> None:
        tasks, due = set(), time.monotonic()
        while not self._over.is_set():
            task = asyncio.create_task(self._counted(name, ask))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            due += 1 / RATE
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        await asyncio.gather(*tasks)

    async def _counted(self, name: str, ask: Callable[[], Awaitable[str]]) -> None:
        try:
            self.answers[await asyncio.wait_for(ask(), LATE)] += 1
        except (OSError, EOFError, ValueError, TimeoutError, _ClosedEarly) as error:
            self.failures[f"{name}: {error!r}"] += 1
            say(f"failed: {name}: {error!r}")

    async def _once(self) -> str:
        connection = await asyncio.open_connection(self._host, 80)
        try:
            return await self._ask(connection)
        finally:
            connection[1].close()

    async def _repeating(self) -> str:
        while not self._kept.empty():
            connection = self._kept.get_nowait()
            try:
                return await self._keeping(connection)
            except _ClosedEarly:
                self.repeated += 1
                break
        return await self._keeping(await self._from_a_port_of_its_own())

    async def _from_a_port_of_its_own(self) -> Connection:
        for port in self._ports:
            try:
                return await asyncio.open_connection(self._host, 80, local_addr=("0.0.0.0", port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
        raise AssertionError("there are always more ports")

    async def _keeping(self, connection: Connection) -> str:
        try:
            answer = await self._ask(connection)
        except BaseException:
            connection[1].close()
            raise
        self._kept.put_nowait(connection)
        return answer

    async def _ask(self, connection: Connection) -> str:
        reader, writer = connection
        try:
            writer.write(b"GET / HTTP/1.1\r\nHost: plain\r\n\r\n")
            await writer.drain()
            first = await reader.read(1)
        except ConnectionError as error:
            raise _ClosedEarly from error
        if not first:
            raise _ClosedEarly
        status = first + await reader.readline()
        if status.split()[1:2] != [b"200"]:
            raise ValueError(status)
        length = 0
        while (line := await reader.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        return (await reader.readexactly(length)).decode()


@pytest.fixture(scope="module")
def norn(kube: KubeKit, namespace: str, postgres: Postgres, private_dir: Path, engine_address: str) -> Iterator[Stack]:
    """A whole Norn with short leases, and the app, live."""
    leases = {"NORN_LEASE_SECONDS": "4", "NORN_HEARTBEAT_SECONDS": "1", "NORN_SELF_STOP_SECONDS": "3"}
    with norn_over(kube, namespace, postgres, private_dir / "plain", **leases) as stack:
        directory = stack.add_app("plain", SPEC.format(n=0), {"Dockerfile": DOCKERFILE})
        source = Path(__file__).with_name("plain_server.c")
        argv = ["cc", "-O2", "-static", "-pthread", "-o", str(directory / "plain-server"), str(source)]
        subprocess.run(argv, check=True)
        stack.norn("forge", "plain")
        stack.norn("deploy", "plain")
        yield stack


def deploy(stack: Stack, n: int) -> None:
    """Deploys once; in every second deploy the worker is killed, in every fifth the API."""
    stack.add_app("plain", SPEC.format(n=n), {})
    job = int(stack.json("deploy", "plain", "--detach")["job"])
    wait_until(lambda: stack.job(job)["state"] != "queued", allowed(60), "it begins")
    if n % 2 == 0:
        time.sleep(n / 4)  # at another moment of the deploy in each round
        stack.kill_group("deploy")
        say(f"deploy {n}: worker killed")
        stack.spawn("deploy")
    if n % 5 == 0:
        stack.kill_group("api")
        say(f"deploy {n}: API killed")
        stack.start("api")
    try:
        ended = stack.await_state(job, ENDS, allowed(LONGEST))
    except AssertionError as error:
        raise AssertionError(f"{error}\n{stack.norn('jobs', 'show', str(job)).stdout.decode()}") from None
    say(f"deploy {n}: {ended['state']}")
    assert ended["state"] == "succeeded", ended["error"]


def test_no_request_is_lost(norn: Stack, kube: KubeKit, namespace: str) -> None:
    (service,) = kube.objects(namespace, "service", "norn.io/app=plain")
    clients, deploys = Clients(service["spec"]["clusterIP"]), 0
    try:
        with clients.at_work():
            for n in range(1, DEPLOYS + 1):
                deploy(norn, n)
                deploys += 1
            with suppress(AssertionError):
                wait_until(lambda: clients.asked >= LEAST, 600, "enough requests")
    finally:
        failed = clients.failures.total()
        for each in kube.objects(namespace, "events"):
            if each["type"] == "Warning":
                say(f"event {each['lastTimestamp']} {each['count']}x {each['reason']}: {each['message'][:200]}")
        print(f"\n{failed} of {clients.asked} requests failed, {clients.repeated} repeated; {deploys} deploys")
        print(f"failures: {dict(clients.failures)}; releases that answered: {len(clients.answers)}")
    assert (failed, deploys) == (0, DEPLOYS)
    assert clients.asked >= LEAST
