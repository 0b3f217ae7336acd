"""The router as a whole: rows make the table and the doors; drained replicas and bad ports go back to the rows."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial

import structlog

from norn_tasks.router.doors import Doors
from norn_tasks.router.rows import Rows
from norn_tasks.router.table import Table
from norn_tasks.store.routes import Route, Routes, mark_drained, mark_listening
from norn_tasks.store.session import Database

TICK_SECONDS = 1.0
CONFIRM_TICKS = 10
"""Each address is confirmed after so many ticks, so that a router that is gone can be told from one that serves."""
STOP_SECONDS = 5.0

log = structlog.get_logger(__name__)


class Router:
    """One router process; `run` serves until `stop` is set."""

    def __init__(self, database: Database, listen_url: str, host: str) -> None:
        self._rows = Rows(database, listen_url, self._seen)
        self._table = Table(self._drained)
        self._doors = Doors(host, self._table, self._report)
        self._routes: tuple[Route, ...] = ()
        self._changed = asyncio.Event()
        self._told: dict[str, str | None] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Serves until told to stop; then accepts no more and lets open requests end for some seconds."""
        self._loop = asyncio.get_running_loop()
        duties = [asyncio.create_task(self._follow_routes()), asyncio.create_task(self._tick())]
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([*duties, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for duty in (*duties, stopping):
                duty.cancel()
            await self._doors.close(STOP_SECONDS)
            self._table.close()
            await asyncio.to_thread(self._rows.stop)
        for duty in duties:
            with contextlib.suppress(asyncio.CancelledError):
                await duty

    def _seen(self, look: Routes) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the router is gone
            self._loop.call_soon_threadsafe(self._apply, look)

    def _apply(self, look: Routes) -> None:
        self._table.apply(look)
        self._routes = look.routes
        self._changed.set()

    async def _follow_routes(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._doors.open_for(self._routes)

    async def _tick(self) -> None:
        ticks = 0
        while True:
            self._rows.keep_going()
            self._table.sweep(self._loop.time())
            if ticks % CONFIRM_TICKS == 0:
                for app in self._doors.listening():
                    self._rows.say(partial(mark_listening, app=app, error=None))
            ticks += 1
            await asyncio.sleep(TICK_SECONDS)

    def _drained(self, container: str) -> None:
        self._rows.say(partial(mark_drained, container=container))

    def _report(self, app: str, error: str | None) -> None:
        self._rows.say(partial(mark_listening, app=app, error=error))
        if self._told.get(app, "") != error:
            self._told[app] = error
            log.info(f"{app}: {error or 'its address is open'}", app=app)
