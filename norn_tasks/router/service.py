"""The router process: reads its routing table and ports from rows, and writes drained replicas and failed ports to
rows.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Set
from functools import partial
from time import monotonic
from urllib.parse import urlsplit

import structlog

from norn_tasks.router.by_name.door import PublicDoor
from norn_tasks.router.by_name.run_ports import RunPorts
from norn_tasks.router.clients import ClientLimits
from norn_tasks.router.connection_counts import ConnectionCounts
from norn_tasks.router.handover import Drains, Predecessor, Successor, take_over
from norn_tasks.router.ports import Ports
from norn_tasks.router.rows import Rows
from norn_tasks.router.saved_table import SavedTable
from norn_tasks.router.sole import SoleRouter
from norn_tasks.router.table import Table
from norn_tasks.router_socket import name_of
from norn_tasks.settings import Settings
from norn_tasks.store.database.session import Database
from norn_tasks.store.replicas.draining import count_connections
from norn_tasks.store.replicas.routes import Routes, mark_all_listening, mark_drained, mark_for_runs

TICK_SECONDS = 1.0
SAVED_TABLE_TICKS = 2
"""The ticks after which a router that has not reached the database uses the saved table."""
RETRY_TICKS = 2
"""The ticks after which the router tries again to open ports that it could not open."""
CONFIRM_TICKS = 10
"""The ticks after which all addresses are confirmed again in rows. If a confirmation is old, the router has died."""
STOP_SECONDS = 5.0
LEAVING_SECONDS = 3600.0
"""Seconds for which open answers and upgraded connections may continue after another router has replaced this one."""
LEAVING_TICK_SECONDS = 0.2

log = structlog.get_logger(__name__)


class Router:
    """One router process; `run` serves until `stop` is set. `limits` apply to the clients of each app.

    `replaces`: it replaces a running router, instead of waiting for that router's end.
    """

    def __init__(self, database: Database, settings: Settings, limits: ClientLimits, *, replaces: bool = False) -> None:
        self._rows = Rows(database, settings.listen_url, self._read)
        self._saved = SavedTable(settings.data_dir, settings.database_url)
        self._name = name_of(settings.database_url)
        self._sole = SoleRouter(self._name, self)
        self._drains = Drains(self._drained)
        self._counts = ConnectionCounts(self._count)
        self._table = Table(self._drains.here)
        self._ports = Ports(settings.router_host, self._table, self._report, limits)
        self._door = PublicDoor(
            settings.router_host, settings.edge_door if settings.door_address else None, self._table,
            self._report_door, limits, asked_at=urlsplit(settings.door_address or "").netloc,
        )  # fmt: skip
        own = {settings.port, settings.edge_door, *range(settings.router_port_first, settings.router_port_last + 1)}
        self._run_ports = RunPorts(self._table, self._report_for_runs, limits, own)
        self._all = (self._ports, self._run_ports, self._door)
        self._door_error: str | None = ""
        self._replaces = replaces
        self._predecessor: Predecessor | None = None
        self._successor: Successor | None = None
        self._succeeded = asyncio.Event()
        self._serves = False
        self._routes: Routes | None = None
        self._changed = asyncio.Event()
        self._errors: dict[str, str | None] = {}
        self._errors_for_runs: dict[str, str | None] = {}
        self._unwritten: set[str] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Serves until `stop` is set; then accepts no new connections, and lets open requests end for some seconds.

        If another router replaces this one, it ends with its last client.
        """
        self._loop = asyncio.get_running_loop()
        serving, stopping = asyncio.create_task(self._serve()), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            serving.cancel()
            stopping.cancel()
            await asyncio.gather(*(ports.close(STOP_SECONDS) for ports in self._all))
            self._table.close()
            await asyncio.to_thread(self._rows.stop)
            self._sole.release()
        with contextlib.suppress(asyncio.CancelledError):
            await serving

    async def _serve(self) -> None:
        if self._replaces:
            self._predecessor = await asyncio.to_thread(take_over, self._name)
        if self._predecessor is None:
            await self._wait_for_other_router()
        else:
            self._drains.waits = True
            for ports in self._all:
                ports.inherited = self._predecessor.sockets
        duties = [asyncio.create_task(duty) for duty in (self._follow_routes(), self._tick(), self._succeeded.wait())]
        try:
            ended, _ = await asyncio.wait(duties, return_when=asyncio.FIRST_COMPLETED)
            for duty in ended:
                await duty  # raises the error of the task
        finally:
            for duty in duties:
                duty.cancel()
        await self._leave_to_successor()

    # Replacing another router, or being replaced

    def listening(self) -> tuple[str, ...]:
        """Returns the apps whose port is open."""
        return self._ports.listening()

    def files(self) -> list[tuple[str, int]]:
        """Returns address and descriptor of each listening socket."""
        return [file for ports in self._all for file in ports.files()]

    def hand_over(self, successor: Successor) -> None:
        """Accepts no new connections from now on, because the successor serves."""
        self._successor = successor
        self._soon(self._succeeded.set)

    async def _replace(self, predecessor: Predecessor) -> None:
        """Serves instead of the predecessor from now on."""
        predecessor.sockets.close()
        await asyncio.to_thread(predecessor.replace)
        await self._wait_for_other_router(0.02)
        predecessor.follow(
            lambda container: self._soon(self._drains.there, container),
            lambda container, count: self._soon(self._counts.there, container, count),
            lambda: self._soon(self._predecessor_gone),
        )
        log.info("this router has replaced another router, which ends when its last client has gone")

    def _predecessor_gone(self) -> None:
        self._predecessor = None
        self._counts.predecessor_gone()
        self._drains.predecessor_gone()

    async def _leave_to_successor(self) -> None:
        log.info("another router has replaced this one, which ends when its last client has gone")
        end = monotonic() + LEAVING_SECONDS
        for ports in self._all:
            ports.leave_to_successor()
        while monotonic() < end and (self._predecessor or not all(ports.no_clients for ports in self._all)):
            self._table.sweep(monotonic())
            self._counts.report(self._table.open_on_left())
            for ports in self._all:
                ports.sweep(monotonic())
            await asyncio.sleep(LEAVING_TICK_SECONDS)

    async def _wait_for_other_router(self, pause: float = TICK_SECONDS) -> None:
        warned = False
        while (other := await asyncio.to_thread(self._sole.acquire)) is not None:
            if not warned:
                process = f" (pid {other.pid})" if other.pid else ""
                log.warning(f"another router of this Norn{process} holds the ports; this one waits until it ends")
            warned = True
            await asyncio.sleep(pause)

    def _soon(self, call: Callable[..., None], *arguments: object) -> None:
        """Calls a function on the loop, from another thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the router has ended
            self._loop.call_soon_threadsafe(call, *arguments)

    def _read(self, read: Routes) -> None:
        self._soon(self._apply, read)
        if self._successor is None:
            self._saved.save(read)

    def _apply(self, read: Routes) -> None:
        self._table.apply(read)
        self._routes = read
        self._changed.set()

    def _apply_saved(self) -> None:
        saved = self._saved.load()
        if saved is None:
            log.warning("the database does not answer, and there is no saved routing table: no address is open")
            return
        log.warning(
            "the database does not answer: until it does, requests go by the routing table that was saved at "
            f"{saved.saved_at.astimezone():%Y-%m-%d %H:%M:%S}, {saved.age.total_seconds():.0f} s ago"
        )
        self._apply(saved.routes)

    async def _follow_routes(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            read = self._routes
            if read is None:
                continue  # no port is opened without a table, because every visitor would get 404
            await self._ports.open_for(read.routes)
            await self._run_ports.open_for(read.runs_address, read.routes)
            await self._door.open_for(read)
            if self._predecessor is not None and not self._serves:
                await self._replace(self._predecessor)
            self._serves = True
            self._forget_all_except({route.app for route in read.routes})
            self._confirm(self._unwritten)
            self._unwritten = set()

    async def _tick(self) -> None:
        ticks = 0
        while True:
            self._rows.keep_running()
            self._table.sweep(monotonic())
            self._counts.report(self._table.open_on_left(), again=ticks % CONFIRM_TICKS == 0)
            for ports in self._all:
                ports.sweep(monotonic())
            if ticks == SAVED_TABLE_TICKS and self._routes is None:
                self._apply_saved()
            if ticks % RETRY_TICKS == 0 and (
                any(self._errors.values()) or self._run_ports.failing or self._door.failing
            ):
                self._changed.set()
            if ticks % CONFIRM_TICKS == 0:
                self._confirm(self._errors)
            ticks += 1
            await asyncio.sleep(TICK_SECONDS)

    def _confirm(self, apps: Iterable[str]) -> None:
        """Writes the state of these apps' ports in one statement."""
        if errors := {app: self._errors[app] for app in apps}:
            self._rows.write(partial(mark_all_listening, errors=errors))

    def _drained(self, container: str) -> None:
        if self._successor is not None:
            self._successor.drained(container)
            return
        self._rows.write(partial(mark_drained, container=container))

    def _count(self, counts: Mapping[str, int]) -> None:
        """Writes how many connections are open on replicas that leave or drain; if there is a successor, reports it to
        that router instead.
        """
        if self._successor is not None:
            self._successor.connections(counts)
            return
        self._rows.write(partial(count_connections, counts=counts))

    def _report(self, app: str, error: str | None) -> None:
        """Keeps the state of a port; a new state is logged, and written once all ports were tried."""
        changed = self._errors.get(app, "") != error
        self._errors[app] = error
        if changed or error is None:
            self._unwritten.add(app)
        if changed:
            log.info(f"{app}: {error or 'its address is open'}", app=app)

    def _report_door(self, _app: str, error: str | None) -> None:
        """Logs the state of the port for public names (the door) when it has changed."""
        if error != self._door_error:
            self._door_error = error
            log.info(f"the port for public names: {error or 'it is open'}")

    def _report_for_runs(self, app: str, error: str | None) -> None:
        """Writes whether runs can reach an app, if that has changed."""
        if self._errors_for_runs.get(app, "") != error:
            self._errors_for_runs[app] = error
            self._rows.write(partial(mark_for_runs, app=app, error=error))

    def _forget_all_except(self, kept: Set[str]) -> None:
        self._errors = {app: error for app, error in self._errors.items() if app in kept}
        self._errors_for_runs = {app: error for app, error in self._errors_for_runs.items() if app in kept}
        self._unwritten &= kept
