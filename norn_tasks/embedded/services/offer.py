"""Writes the offer of `norn up` to its workers: a file that names the servers for apps that the supervisor can start.

A server that was used before starts together with the supervisor. The others use no memory until an app needs them.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from norn_tasks.embedded.errors import NotStarted
from norn_tasks.embedded.paths import DataPaths
from norn_tasks.embedded.services.paths import ServicePaths, service_paths
from norn_tasks.embedded.stores import broker, postgres
from norn_tasks.embedded.supervision.program import SupervisedProgram
from norn_tasks.settings import Settings

SERVERS = ("postgres", "kv")
_START = "norn_tasks.embedded.services.start"


def programs(settings: Settings, where: DataPaths) -> tuple[SupervisedProgram, ...]:
    """Returns the servers that this machine can run for apps, and writes the offer where workers find it."""
    paths = service_paths(where)
    servers = tuple(name for name in SERVERS if _possible(name, settings, paths))
    paths.data.mkdir(mode=0o700, exist_ok=True)
    programs = [str(each) for each in postgres.directories()]
    offer = {"control": str(where.control), "servers": servers, "programs": programs}
    write_private(paths.offer, json.dumps(offer))
    return tuple(_program(name, paths) for name in servers)


def _possible(name: str, settings: Settings, paths: ServicePaths) -> bool:
    """Returns True if the operator named no server of this kind in the settings, and this machine has its program."""
    if name == "postgres":
        return not settings.services_postgres_url and _found_postgres(paths)
    return not settings.services_kv_url and _found_broker()


def _found_postgres(paths: ServicePaths) -> bool:
    try:
        postgres.choose(postgres.found(), paths)
    except NotStarted:
        # If the data belongs to a version that is not installed, the server logs that when it starts.
        return paths.postgres.exists()
    return True


def _found_broker() -> bool:
    try:
        broker.found()
    except NotStarted:
        return False
    return True


def command_of(name: str) -> tuple[str, ...]:
    """Returns the command line that prepares a server and then becomes the server process."""
    return (sys.executable, "-m", _START, name)


def _program(name: str, paths: ServicePaths) -> SupervisedProgram:
    argv = command_of(name)
    used = (paths.postgres if name == "postgres" else paths.users).exists()
    signal, seconds = ("INT", 60) if name == "postgres" else ("TERM", 20)
    return SupervisedProgram(f"services-{name}", argv, Path("/"), "", signal, seconds, at_once=used)


def write_private(file: Path, text: str) -> None:
    """Replaces a file atomically with one that only this user can read."""
    part = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(text)
    part.replace(file)
