"""`norn up`: stores, schema, first token, processes, in this order, each waited for; all of it or nothing."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from types import FrameType

from norn_tasks.embedded import health, leftovers, supervisor
from norn_tasks.embedded.configuration import NORN, STORES, configure
from norn_tasks.embedded.down import stop
from norn_tasks.embedded.errors import NotStarted
from norn_tasks.embedded.first import prepare_database
from norn_tasks.embedded.lock import Lock
from norn_tasks.embedded.places import Places, make, places
from norn_tasks.embedded.processes import environment, processes
from norn_tasks.embedded.progress import say, step
from norn_tasks.embedded.stores import Store, prepare
from norn_tasks.embedded.supervisor import Control
from norn_tasks.embedded.watch import Watch
from norn_tasks.settings import Settings

STORE_SECONDS, GIVEN_SECONDS, API_SECONDS, WORKER_SECONDS = 60.0, 10.0, 120.0, 60.0
"""How long may pass until our stores, the operator's, the API and then the workers answer."""


def up(settings: Settings, environ: Mapping[str, str], *, foreground: bool) -> None:
    """Starts Norn on its data directory and returns when it answers; in the foreground, when it has stopped again.

    Raises AlreadyRunning or NotStarted; then nothing of it runs.
    """
    began = time.monotonic()
    where = places(settings.data_dir)
    refuse_elsewhere(settings, where)
    make(where)
    signal.signal(signal.SIGTERM, _leave)
    with closing(Lock(where.lock)) as lock, ExitStack() as undo:
        lock.tell(os.getpid(), health.url(settings))
        refuse_taken_port(settings.host, settings.port)
        say(f"Norn starts; its data are in {where.data}")
        end_leftovers(where)
        stores = prepare(settings, where)
        settings = settings.model_copy(update={"database_url": stores[0].url, "broker_url": stores[1].url})
        supervised = [store.program for store in stores if store.program]
        configure(where, {STORES: supervised, NORN: processes(settings, where.data)})
        process = supervisor.launch(where, environment(settings, environ), lock.fd)
        undo.callback(undo_start, where, process.pid)
        begin(settings, where, stores)
        tell(settings, where, time.monotonic() - began)
        lock.tell(process.pid, health.url(settings))
        if foreground:
            say("Ctrl-C stops it.")
            process.wait()
        else:
            undo.pop_all()


def begin(settings: Settings, where: Places, stores: Sequence[Store]) -> None:
    """Waits for the stores, brings schema and first token in order, starts Norn itself and waits until it answers."""
    control = Control(where.control)
    watch = Watch(where, control)
    await_stores(stores, watch)
    prepare_database(settings)
    control.start(NORN)
    with step(f"starting the API at {health.url(settings)}"):
        watch.until(lambda: health.ask(settings) is not None, "api", API_SECONDS)
    with step("starting workers, beat and router"):
        watch.until(lambda: health.working(settings), "worker or beat", WORKER_SECONDS)


def await_stores(stores: Sequence[Store], watch: Watch) -> None:
    """Returns when every store answers; raises NotStarted with what is wrong with the one that does not."""
    for store in stores:
        if store.program:
            with step(f"starting {store.title}"):
                watch.until(store.answers, store.program.name, STORE_SECONDS)
        else:
            with step(f"reaching {store.title}"):
                reach(store)


def reach(store: Store, seconds: float = GIVEN_SECONDS) -> None:
    """Returns when the operator's store answers; raises NotStarted."""
    deadline = time.monotonic() + seconds
    while trouble := store.trouble():
        if time.monotonic() > deadline:
            raise NotStarted(f"{store.title}: {trouble}", hint="start it, or unset the variable to use an embedded one")
        time.sleep(0.2)


def undo_start(where: Places, pid: int) -> None:
    """Stops what was started: all or nothing."""
    with step("stopping what was started"):
        stop(where, pid)


def refuse_elsewhere(settings: Settings, where: Places) -> None:
    """Raises NotStarted for the directory of a Norn whose database is not in it: ours would be a second, empty one."""
    if settings.database_url or where.postgres.exists() or not where.token.exists():
        return
    raise NotStarted(
        f"{where.data} has the token of a Norn whose database is not there",
        hint="start that one, with docker-compose up -d, or NORN_DATABASE_URL=… norn up; "
        "for another one NORN_DATA_DIR=~/norn norn up",
    )


def refuse_taken_port(host: str, port: int) -> None:
    """Raises NotStarted when the API could not listen there."""
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


def end_leftovers(where: Places) -> None:
    """Waits for what a supervisor left behind that was killed."""
    if left := len(list(leftovers.leftovers(where))):
        with step(f"ending {left} processes of a Norn that was killed"):
            leftovers.end(where)


def tell(settings: Settings, where: Places, seconds: float) -> None:
    """Says where Norn is, what is not well, and what to type next."""
    say(f"Norn is up at {health.url(settings)} after {seconds:.1f} s.")
    for check in health.ask(settings) or ():
        if check.status != "ok":
            say(f"  {check.name}: {check.message}" + (f" ({check.hint})" if check.hint else ""))
    if settings.port != Settings.model_fields["port"].default:
        say(f"  export NORN_URL={health.url(settings)}    so that norn finds it")
    say("  norn status    the apps          norn health    how Norn is")
    say("  norn down      stop              logs are in " + str(where.log))


def _leave(number: int, frame: FrameType | None) -> None:
    """Turns SIGTERM into an exit that undoes what was begun."""
    sys.exit(128 + number)
