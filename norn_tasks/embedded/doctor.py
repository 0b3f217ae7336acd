"""`python -m norn_tasks.embedded doctor`: checks a Norn on its own machine, even if it is not running."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from norn_tasks.domain.errors import NornError
from norn_tasks.domain.tunnel import leading
from norn_tasks.embedded.edge import reports, rights
from norn_tasks.embedded.errors import NotRunning
from norn_tasks.embedded.lock import held, holder
from norn_tasks.embedded.paths import DataPaths, data_paths
from norn_tasks.embedded.progress import duration, say
from norn_tasks.embedded.routing import router
from norn_tasks.embedded.stores.account import OWN, PREFERRED
from norn_tasks.embedded.supervision.supervisor import Control
from norn_tasks.settings import Settings

SETTLED = 60
"""Seconds after which the restart of a process is no longer suspicious."""


@dataclass(frozen=True)
class MachineFinding:
    """One finding about this machine, in the form of the API's checks."""

    name: str
    status: str
    message: str
    hint: str = ""


def doctor(settings: Settings) -> None:
    """Prints the findings as JSON; prints nothing if no Norn exists here."""
    where = data_paths(settings.data_dir)
    found = list(_findings(settings, where)) if where.lock.exists() else []
    say(json.dumps([asdict(each) for each in found]))


def _findings(settings: Settings, where: DataPaths) -> Iterator[MachineFinding]:
    yield from _files(where)
    yield from kubernetes_rights(settings)
    yield from incus(settings)
    yield from edge(settings)
    yield from nest(settings)
    if where.postgres.exists():
        yield from stores_account(where.postgres.owner(), where.postgres)
        if settings.has_edge and settings.edge_dir.exists():
            yield from edge_account(settings.edge_dir.owner(), where.postgres.owner(), settings.edge_dir)
    known = holder(where.lock)
    if known is None or not held(where.lock):
        yield MachineFinding("local:processes", "warn", f"Norn does not run on {where.data}", "norn up")
        return
    try:
        processes = (*Control(where.control).processes(), router.as_process(router.running(settings, where)))
    except NotRunning as error:
        yield MachineFinding(
            "local:processes", "fail", error.sentence, "wait until it has started, or norn down and norn up"
        )
        return
    yield from door(settings)
    down = [process.name for process in processes if not process.up]
    fresh = [p for p in processes if p.up and p.now - p.began < SETTLED]
    running = f"{len(processes) - len(down)} of {len(processes)} run"
    if down:
        yield MachineFinding(
            "local:processes", "fail", f"{running}; not {', '.join(down)}", f"norn logs --server {down[0]}"
        )
    elif fresh and any(p.now - p.began >= SETTLED for p in processes):
        ages = ", ".join(f"{p.name} {duration(p.now - p.began)} ago" for p in fresh)
        yield MachineFinding(
            "local:processes", "warn", f"{running}; restarted: {ages}", f"norn logs --server {fresh[0].name}"
        )
    else:
        yield MachineFinding("local:processes", "ok", running)


def kubernetes_rights(settings: Settings) -> Iterator[MachineFinding]:
    """Yields a finding that says whether Norn has the rights that it needs in its Kubernetes namespace."""
    if not settings.kube_namespace:
        return
    # Imported here, because `wiring` imports every adapter and only this check needs one.
    from norn_tasks.wiring import missing_kube_rights

    name, where = "local:kubernetes", f"the namespace {settings.kube_namespace}"
    try:
        lacking = missing_kube_rights(settings)
    except NornError as error:
        yield MachineFinding(name, "fail", error.sentence, error.hint)
        return
    if lacking:
        hint = "kubectl -n NAMESPACE apply -f deploy/kubernetes/rbac.yaml"
        yield MachineFinding(name, "fail", f"Norn may not {', '.join(lacking)} in {where}", hint)
    else:
        yield MachineFinding(name, "ok", f"Norn has the rights that it needs in {where}")


def incus(settings: Settings) -> Iterator[MachineFinding]:
    """Yields findings that say whether the Incus in the settings answers and has everything that runs need."""
    if not settings.incus_socket:
        return
    # Imported here, because `wiring` imports every adapter and only this check needs one.
    from norn_tasks.wiring import incus_checks

    for sentence, hint in incus_checks(settings):
        yield MachineFinding("local:incus", "fail" if hint else "ok", sentence, hint)


def edge(settings: Settings) -> Iterator[MachineFinding]:
    """Yields a finding that says whether the edge (the HTTPS server) has opened its ports; if not, it has a hint."""
    if not settings.has_edge:
        return
    name, ports = "local:edge", f"{settings.edge_http_port} and {settings.edge_https_port}"
    seen = reports.state(settings.edge_dir)
    if seen is None:
        yield MachineFinding(name, "warn", "the edge has not started yet", "norn logs --server edge")
    elif seen.sentence:
        yield MachineFinding(name, "fail", seen.sentence, seen.hint)
    elif not _door_answers(settings):
        yield _door_shut(name, settings)
    else:
        yield MachineFinding(name, "ok", f"the edge has ports {ports}")


def door(settings: Settings) -> Iterator[MachineFinding]:
    """Yields a failure if the rules of a tunnel lead to the router's port for public names (the door), and nothing
    answers there. The function `edge` checks the edge itself.
    """
    if settings.has_tunnel and not settings.has_edge and not _door_answers(settings):
        yield _door_shut("local:door", settings)


def _door_shut(name: str, settings: Settings) -> MachineFinding:
    sentence = f"the router does not serve public names at {settings.door_address}"
    return MachineFinding(name, "fail", sentence, "norn logs --server router; NORN_EDGE_DOOR names another port")


def _door_answers(settings: Settings) -> bool:
    where = urlsplit(settings.door_address or "")
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=3)
    try:
        connection.request("GET", leading.PATH)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def nest(settings: Settings) -> Iterator[MachineFinding]:
    """Yields findings that say whether calls and cron runs start in the nest (the container in which crun starts runs),
    if the nest is switched on.
    """
    if settings.nest == "off":
        return
    # Imported here, because the client of the engine takes long to import and only this check needs it.
    from norn_tasks.adapters.nest.checks import checks

    for sentence, hint in checks(settings.engine_address, settings.data_dir):
        yield MachineFinding("local:nest", "warn" if hint else "ok", sentence, hint)


def stores_account(owner: str, database: Path) -> Iterator[MachineFinding]:
    """Yields a warning if other programs of this machine run as the account that owns the database."""
    if owner in PREFERRED and owner != OWN:
        sentence = (
            f"the database belongs to the account {owner}, under which other programs run: they control this Norn"
        )
        hint = f"deploy/prepare run; norn down; chown -R {OWN}: {database}; norn up"
        yield MachineFinding("local:account", "warn", sentence, hint)


def edge_account(owner: str, of_database: str, directory: Path) -> Iterator[MachineFinding]:
    """Yields a warning if Norn runs as root, and the edge runs as the account that owns the database."""
    if owner == of_database and owner in PREFERRED:
        sentence = f"the edge and the database run as the account {owner}: a hole in Caddy would open the database too"
        hint = f"deploy/prepare run; norn down; chown -R {rights.OWN}: {directory}; norn up"
        yield MachineFinding("local:edge-account", "warn", sentence, hint)


def _files(where: DataPaths) -> Iterator[MachineFinding]:
    """Yields a finding that names the files that others can read, although only their owner should be able to."""
    open_ = [path for path in (where.token, where.data / "age.key") if path.exists() and path.stat().st_mode & 0o077]
    if where.data.stat().st_mode & 0o067:
        open_.append(where.data)
    if open_:
        names = " ".join(map(str, open_))
        yield MachineFinding("local:files", "fail", f"others can read or enter {names}", f"chmod go-rwx {names}")
    else:
        yield MachineFinding("local:files", "ok", f"{where.data} is closed to others")
