"""`python -m norn_tasks.router`: reads the settings, and serves until SIGTERM.

With `--take-over` it replaces the router of this Norn that is running on the machine, if there is one.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import resource
import signal
import sys
from collections.abc import Callable

import structlog

from norn_tasks import settings
from norn_tasks.domain.errors import InvalidRequest, NornError
from norn_tasks.logs import configure
from norn_tasks.router.clients import ClientLimits
from norn_tasks.router.service import Router
from norn_tasks.settings import Settings
from norn_tasks.store.database.opening import open_database

FILES_PER_CONNECTION = 4
"""The number of open files that are counted for each connection of a client. A request uses two sockets, the client's
and the replica's, and one app may use at most half of the files that may be open.
"""

log = structlog.get_logger(__name__)


def main() -> int:
    """Runs the router; returns its exit code."""
    parser = argparse.ArgumentParser(prog="norn_tasks.router")
    parser.add_argument("--take-over", action="store_true", help="take the place of the router that runs")
    replaces = bool(parser.parse_args().take_over)
    try:
        read = settings.load()
        if not read.database_url:
            raise InvalidRequest("the router needs a database", hint="set NORN_DATABASE_URL, or start it with norn up")
    except NornError as error:
        print(error.rendered, file=sys.stderr)
        return 2
    configure(read)
    limits = _limits(read, _allow_many_files())
    gc.freeze()  # excludes the imported objects from garbage collection, which would otherwise delay requests
    database = open_database(read, "router", 4)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(Router(database, read, limits, replaces=replaces)))
    database.dispose()
    return 0


async def _serve(router: Router) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await router.run(stop)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Returns uvloop's event loop. On a platform without uvloop, returns None, which means asyncio's own."""
    try:
        import uvloop
    except ImportError:
        log.info("uvloop is not installed: the router takes more CPU time per request")
        return None
    return uvloop.new_event_loop


def _limits(read: Settings, files: int) -> ClientLimits:
    return ClientLimits(
        connections=min(read.router_connections, files // FILES_PER_CONNECTION),
        idle_seconds=read.router_idle_timeout,
        head_seconds=read.router_head_timeout,
    )


def _allow_many_files() -> int:
    """Raises the limit of open files as far as this user may, and returns the limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


if __name__ == "__main__":
    sys.exit(main())
