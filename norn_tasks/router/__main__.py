"""`python -m norn_tasks.router`: reads the settings, serves until SIGTERM."""

from __future__ import annotations

import asyncio
import resource
import signal
import sys

from norn_tasks import settings
from norn_tasks.domain.errors import InvalidRequest, NornError
from norn_tasks.logs import configure
from norn_tasks.router.service import Router
from norn_tasks.store.session import Database


def main() -> int:
    """Runs the router; answers its exit code."""
    try:
        read = settings.load()
        if not read.database_url:
            raise InvalidRequest("the router needs a database", hint="set NORN_DATABASE_URL, or start it with norn up")
    except NornError as error:
        print(error.told, file=sys.stderr)
        return 2
    configure(read)
    _allow_many_connections()
    database = Database(read.database_url, pool=2, overflow=2)
    asyncio.run(_serve(Router(database, read.listen_url, read.router_host)))
    database.dispose()
    return 0


async def _serve(router: Router) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await router.run(stop)


def _allow_many_connections() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    sys.exit(main())
