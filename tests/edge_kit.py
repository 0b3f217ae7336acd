"""The edge (the public HTTPS entry, a process with Caddy) as it runs in tests, a router port for public names, and
replicas that a test controls.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from norn_tasks.adapters.edge.caddy import CaddyEdge
from norn_tasks.adapters.edge.leading import ResolveName
from norn_tasks.embedded.edge import reports
from norn_tasks.router.by_name.door import PublicDoor
from norn_tasks.router.clients import ClientLimits
from norn_tasks.router.ports import Ports
from norn_tasks.router.table import Table
from norn_tasks.store.replicas.routes import Route, Routes
from tests.fakes.tunnel import FakeExternalHosts
from tests.router_kit import Server, until
from tests.servers import free_port

INSTANCE = "abc123"
BLOG, FOREIGN = "blog.example.test", "foreign.example.test"


def to_this_machine(_host: str) -> list[str]:
    """Resolves every host name to this machine."""
    return ["127.0.0.1"]


class Door:
    """The router's port for public names, and the app's own port `own`. Its routes come from the test and not from a
    database.
    """

    def __init__(self, port: int | None = None, host: str = "127.0.0.1") -> None:
        self.port, self.own = port or free_port(), free_port()
        self.table = Table(lambda _: None)
        self.reports: list[str | None] = []
        limits = ClientLimits(100_000, 120, 30)
        self.door = PublicDoor(
            host, self.port, self.table, lambda _, error: self.reports.append(error), limits,
            asked_at=f"127.0.0.1:{self.port}",
        )  # fmt: skip
        self.ports = Ports(host, self.table, lambda *_: None, limits)

    async def show(self, *live: Server, others: tuple[Route, ...] = (), **facts: Any) -> None:
        """Sets the routes: these replicas serve the app `blog` with the public name BLOG, next to the other routes."""
        known = {"release": 1, "external": BLOG, **facts}
        route = Route("blog", self.own, tuple(server.target for server in live), **known)
        read = Routes((route, *others), instance=INSTANCE)
        self.table.apply(read)
        await self.ports.open_for((route,))
        await self.door.open_for(read)

    async def close(self) -> None:
        """Stops the router."""
        await self.ports.close(1)
        await self.door.close(1)
        self.table.close()


@dataclass
class RunningEdge:
    """The process of the edge; `https` and `http` are its ports."""

    process: subprocess.Popen[bytes]
    directory: Path
    http: int
    https: int
    log: Path

    @property
    def caddy(self) -> int:
        """The pid of its Caddy; 0 while none runs."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0]) if children else 0

    def adapter(self, resolve: ResolveName = to_this_machine, *, public: bool = False) -> CaddyEdge:
        """Returns the adapter through which a worker uses the edge."""
        return CaddyEdge(
            FakeExternalHosts(), INSTANCE, self.http, self.https, self.directory, public=public, resolve=resolve,
            seconds=20,
        )  # fmt: skip

    async def curl(self, *words: str, host: str = BLOG, path: str = "/") -> subprocess.CompletedProcess[str]:
        """Requests a page of a host name from the edge."""
        where = ["--resolve", f"{host}:{self.https}:127.0.0.1", f"https://{host}:{self.https}{path}"]
        command = ["curl", "-sk", "--max-time", "20", *words, *where]
        return await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)

    def state(self) -> reports.EdgeState | None:
        """The edge's report about itself."""
        return reports.state(self.directory)


def start_edge(data: Path, door: int, **settings: str) -> RunningEdge:
    """Starts the edge on free ports. It has a certificate authority of its own unless `issuer` names another."""
    http, https = free_port(), free_port()
    own = {
        "NORN_EDGE": "caddy", "NORN_EDGE_ISSUER": "internal", "NORN_EDGE_DOOR": door, "NORN_DATA_DIR": data,
        "NORN_EDGE_HTTP_PORT": http, "NORN_EDGE_HTTPS_PORT": https,
    } | {f"NORN_EDGE_{name.upper()}": value for name, value in settings.items() if name.islower()}  # fmt: skip
    others = {name: value for name, value in settings.items() if not name.islower()}
    environ = {name: value for name, value in os.environ.items() if not name.startswith("NORN_")}
    log = data / "edge.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "norn_tasks.embedded.edge"],
            env=environ | {name: str(value) for name, value in own.items()} | others,
            stdout=output,
            stderr=output,
        )
    given = {name: int(str(own[f"NORN_EDGE_{name.upper()}_PORT"])) for name in ("http", "https")}
    return RunningEdge(process, data / "edge", given["http"], given["https"], log)


@asynccontextmanager
async def edge_before(data: Path, door: Door, **settings: str) -> AsyncIterator[RunningEdge]:
    """Runs an edge in front of a router port until the end of the block."""
    running = start_edge(data, door.port, **settings)
    try:
        await until(lambda: running.process.poll() is not None or running.state() is not None, "the edge reports", 60)
        assert running.process.poll() is None, running.log.read_text()
        yield running
    finally:
        running.process.terminate()
        await asyncio.to_thread(running.process.wait, 30)


def certificates(edge: RunningEdge) -> set[str]:
    """Returns the names for which the edge has a certificate."""
    return {path.stem for path in (edge.directory / "storage").rglob("*.crt") if "authorities" not in path.parts}


def config_of(edge: RunningEdge) -> Any:
    """Returns Caddy's configuration."""
    return json.loads((edge.directory / "caddy.json").read_text())
