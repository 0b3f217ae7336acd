"""`norn up`: starts or prepares the stores, the schema, the first token and the processes, in this order. If one fails,
everything is stopped.
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from types import FrameType

from norn_tasks.embedded import health, leftovers
from norn_tasks.embedded.down import stop
from norn_tasks.embedded.edge.rights import find_program
from norn_tasks.embedded.errors import NotStarted
from norn_tasks.embedded.first import prepare_database
from norn_tasks.embedded.lock import Lock
from norn_tasks.embedded.paths import DataPaths, data_paths, make
from norn_tasks.embedded.progress import say, step
from norn_tasks.embedded.routing import router
from norn_tasks.embedded.routing.router import RouterStart
from norn_tasks.embedded.services import offer
from norn_tasks.embedded.stores.stores import Store, prepare
from norn_tasks.embedded.supervision import cloudflared, supervisor
from norn_tasks.embedded.supervision.configuration import NORN, SERVICES, STORES, configure
from norn_tasks.embedded.supervision.processes import environment, processes
from norn_tasks.embedded.supervision.supervisor import Control
from norn_tasks.embedded.supervision.watch import ProcessWatch
from norn_tasks.settings import Settings

STORE_SECONDS, GIVEN_SECONDS, API_SECONDS, WORKER_SECONDS = 60.0, 10.0, 120.0, 60.0
"""The timeouts in seconds for Norn's own stores, the operator's stores, the API, and the workers."""


def up(settings: Settings, environ: Mapping[str, str], *, foreground: bool) -> None:
    """Starts Norn on its data directory. Returns when Norn responds; in the foreground, returns when Norn has stopped.

    Raises AlreadyRunning or NotStarted. In both cases no process is left running, except a router that serves apps.
    """
    began = time.monotonic()
    where = data_paths(settings.data_dir)
    refuse_elsewhere(settings, where)
    if cloudflared.wanted(settings):
        cloudflared.require_program(settings)
    if settings.has_edge:
        find_program()
    make(where)
    signal.signal(signal.SIGTERM, _leave)
    with closing(Lock(where.lock)) as lock, ExitStack() as undo:
        lock.write_holder(os.getpid(), health.url(settings))
        refuse_taken_port(settings.host, settings.port)
        say(f"Norn starts; its data are in {where.data}")
        end_leftovers(where)
        stores = prepare(settings, where)
        settings = settings.model_copy(update={"database_url": stores[0].url, "broker_url": stores[1].url})
        supervised = [store.program for store in stores if store.program]
        configure(
            where,
            {STORES: supervised, SERVICES: offer.programs(settings, where), NORN: processes(settings, where.data)},
        )
        variables = environment(settings, environ)
        process = supervisor.launch(where, variables, lock.fd)
        undo.callback(undo_start, where, process.pid)
        undo.callback(router.stop_unless_needed, settings, where)
        begin(settings, where, stores, RouterStart(settings, where, variables))
        tell(settings, where, time.monotonic() - began)
        lock.write_holder(process.pid, health.url(settings))
        if foreground:
            say("Ctrl-C stops it.")
            process.wait()
        else:
            undo.pop_all()


def begin(settings: Settings, where: DataPaths, stores: Sequence[Store], routing: RouterStart) -> None:
    """Waits for the stores, prepares schema and first token, starts Norn's processes and waits until they respond."""
    control = Control(where.control)
    watch = ProcessWatch(where, control)
    routing.begin_by_saved_table()
    await_stores(stores, watch)
    prepare_database(settings)
    routing.begin()
    control.start(NORN)
    with step(f"starting the API at {health.url(settings)}"):
        watch.until(lambda: health.ask(settings) is not None, "api", API_SECONDS)
    with step("starting workers, beat and router"):
        routing.wait()
        watch.until(lambda: health.working(settings), "worker or beat", WORKER_SECONDS)


def await_stores(stores: Sequence[Store], watch: ProcessWatch) -> None:
    """Waits until every store responds; raises NotStarted with the reason if one does not."""
    for store in stores:
        if store.program:
            with step(f"starting {store.title}"):
                watch.until(store.answers, store.program.name, STORE_SECONDS)
        else:
            with step(f"reaching {store.title}"):
                start_store(store)


def start_store(store: Store, seconds: float = GIVEN_SECONDS) -> None:
    """Waits until the operator's store responds; raises NotStarted if it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while trouble := store.trouble():
        if time.monotonic() > deadline:
            raise NotStarted(f"{store.title}: {trouble}", hint="start it, or unset the variable to use an embedded one")
        time.sleep(0.2)


def undo_start(where: DataPaths, pid: int) -> None:
    """Stops everything that was started."""
    with step("stopping what was started"):
        stop(where, pid)


def refuse_elsewhere(settings: Settings, where: DataPaths) -> None:
    """Raises NotStarted if the directory belongs to a Norn with its database elsewhere, because the embedded database
    would be empty.
    """
    if settings.database_url or where.postgres.exists() or not where.token.exists():
        return
    raise NotStarted(
        f"{where.data} has the token of a Norn whose database is not there",
        hint="start that Norn: docker-compose up -d, or NORN_DATABASE_URL=… norn up; "
        "or start another Norn: NORN_DATA_DIR=~/norn norn up",
    )


def refuse_taken_port(host: str, port: int) -> None:
    """Raises NotStarted if the API could not listen on this port."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        other = max(port, 8800) + 1
        raise NotStarted(
            f"the API cannot listen on {host}:{port}: {error.strerror}",
            hint=f"choose another port: NORN_PORT={other} norn up, then export NORN_URL=http://127.0.0.1:{other}",
        ) from error


def end_leftovers(where: DataPaths) -> None:
    """Waits for the processes of a supervisor that was killed."""
    if left := len(list(leftovers.leftovers(where))):
        with step(f"ending {left} processes of a Norn that was killed"):
            leftovers.end(where)


def write_environment(settings: Settings, where: DataPaths) -> Path:
    """Writes a file with environment variables for this server, which users load into their shell, and returns its
    path.
    """
    values = {"NORN_DATA_DIR": where.data, "NORN_APPS_DIR": settings.apps_dir, "NORN_URL": health.url(settings)}
    words = [f"{name}={shlex.quote(str(value))}" for name, value in values.items() if value is not None]
    programs = shlex.quote(str(Path(sys.executable).parent))
    file = where.data / "env"
    file.touch(mode=0o600)
    file.write_text(f'export {" ".join(words)}\nexport PATH={programs}:"$PATH"\n')
    return file


def tell(settings: Settings, where: DataPaths, seconds: float) -> None:
    """Prints Norn's URL, failing checks, and the next commands."""
    say(f"Norn is up at {health.url(settings)} after {seconds:.1f} s.")
    for check in health.ask(settings) or ():
        if check.status != "ok":
            say(f"  {check.name}: {check.message}" + (f" ({check.hint})" if check.hint else ""))
    say(f"  . {write_environment(settings, where)}    once in each shell: commands find this server and its token")
    say("  norn status    the apps          norn health    its health")
    say("  norn ui        the page          logs are in " + str(where.log))
    say("  norn down      stop")


def _leave(number: int, frame: FrameType | None) -> None:
    """Turns SIGTERM into an exit that stops everything that was started."""
    sys.exit(128 + number)
