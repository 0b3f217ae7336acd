"""The router's tables: the port of each app, and the replicas to which the app's requests go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from norn_tasks.domain.errors import Unavailable
from norn_tasks.domain.jobs.app_status import ForgeState
from norn_tasks.domain.jobs.replica import ReplicaState
from norn_tasks.store.database.session import ROUTES, Tx, note
from norn_tasks.store.rules import wanted

# The stable addresses


@dataclass(frozen=True)
class Listening:
    """An app's port, why the router cannot listen there, and the seconds since it last reported that it listens."""

    app: str
    port: int
    error: str | None
    silent: float | None


def reserve_address(tx: Tx, app: str, first: int, last: int) -> int:
    """Gives the app the lowest free port from `first` to `last`, and returns it; an app that has a port keeps it.

    Only an app on whose port the router could never listen gets another one. Raises Unavailable when none is free.
    """
    tx.execute(text("SELECT pg_advisory_xact_lock(hashtext('norn addresses'))"))
    row = tx.execute(text("SELECT port, error, listening_at FROM addresses WHERE app = :app"), {"app": app}).first()
    if row is not None and (row.error is None or row.listening_at is not None):
        return int(row.port)
    port = tx.scalar(text(_FREE_PORT), {"first": first, "last": last})
    if port is None:
        raise Unavailable(
            f"every port from {first} to {last} is given to an app",
            hint="tear down an app that is not needed, or raise NORN_ROUTER_PORT_LAST",
        )
    tx.execute(text(_RESERVE), {"app": app, "port": port})
    note(tx, ROUTES, app)
    return int(port)


def release_address(tx: Tx, app: str) -> None:
    """Frees the app's port; does nothing if it has none."""
    if tx.scalar(text("DELETE FROM addresses WHERE app = :app RETURNING app"), {"app": app}) is not None:
        note(tx, ROUTES, app)


def lead_to(tx: Tx, app: str, entrance: str) -> int | None:
    """Sends the requests of an app to the address `entrance`, if the app has moved to another cluster. Returns the
    app's port; None for an app that has not moved.
    """
    port = tx.scalar(text(_LEAD), {"app": app, "entrance": entrance})
    if port is not None:
        note(tx, ROUTES, app)
    return None if port is None else int(port)


def addresses(tx: Tx) -> tuple[Listening, ...]:
    """Lists all addresses with the router's last report about each."""
    return tuple(Listening(**row) for row in tx.execute(text(_ADDRESSES)).mappings())


_FREE_PORT = """
SELECT p FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) p
WHERE NOT EXISTS (SELECT 1 FROM addresses WHERE port = p) ORDER BY p LIMIT 1
"""
_RESERVE = """
INSERT INTO addresses (app, port) VALUES (:app, :port) ON CONFLICT (app) DO UPDATE SET port = :port, error = NULL
"""
_LEAD = "UPDATE addresses SET entrance = :entrance WHERE app = :app AND entrance IS NOT NULL RETURNING port"
_ADDRESSES = """
SELECT app, port, error, CAST(extract(epoch FROM clock_timestamp() - listening_at) AS float8) AS silent
FROM addresses ORDER BY app
"""


# The router's reads and writes


@dataclass(frozen=True)
class Target:
    """A live replica, by its container and `ip:port`."""

    container: str
    address: str


@dataclass(frozen=True)
class Route:
    """An app with an address: its port, the targets of its requests, and the facts that a 503 response names."""

    app: str
    port: int
    targets: tuple[Target, ...]
    forge: str = ForgeState.FORGED
    release: int | None = None
    wanted: int = 1
    host: str | None = None
    """Its internal name; None without a live release."""
    container_port: int | None = None
    """The port at which its containers listen."""
    external: str | None = None
    """Its public host name, under which the router's door (its port for public names) serves it; None without one."""
    maintenance: str | None = None
    """The page that visitors of its public name get instead of the app; None when the app is not in maintenance."""


@dataclass(frozen=True)
class Routes:
    """The result of one read of the rows: all routes, and the undrained containers that leave or drain."""

    routes: tuple[Route, ...]
    leaving: frozenset[str] = frozenset()
    runs_address: str | None = None
    """The address at which containers of runs reach this machine, such as 172.20.0.1/16; None until it is reported."""
    instance: str = ""
    """The name of this control plane."""


def live_routes(tx: Tx) -> Routes:
    """Reads the whole routing table; each replica in it is either live, or leaves or drains, never both."""
    targets: dict[str, list[Target]] = defaultdict(list)
    leaving = set()
    for row in tx.execute(text(_REPLICAS)).mappings():
        if row["state"] != ReplicaState.LIVE:
            leaving.add(row["container"])
        else:
            targets[row["app"]].append(Target(row["container"], row["address"]))
    rows = tx.execute(text(_ROUTES)).mappings()
    routes = tuple(_route(dict(row), targets.get(row["app"], [])) for row in rows)
    instance = tx.scalar(text("SELECT name FROM instance"))
    return Routes(routes, frozenset(leaving), tx.scalar(text(_RUNS_ADDRESS)), instance or "")


def _route(row: dict[str, Any], replicas: list[Target]) -> Route:
    """Returns the route. An app that has moved has one target, which represents all its replicas."""
    entrance = row.pop("entrance")
    targets = [Target(f"entrance of {row['app']}", entrance)] if entrance else replicas
    return Route(targets=tuple(targets), **row)


def mark_drained(tx: Tx, container: str) -> None:
    """Records that no request is open on a replica that leaves or drains; does nothing if it is gone. Idempotent."""
    tx.execute(text(_DRAINED), {"container": container})


def mark_listening(tx: Tx, app: str, error: str | None) -> None:
    """Records that the router listens at the app's port now, or the sentence that says why it cannot."""
    mark_all_listening(tx, {app: error})


def mark_all_listening(tx: Tx, errors: Mapping[str, str | None]) -> None:
    """Records for each app, in one statement, that the router listens now (None), or a sentence that says why it
    cannot.
    """
    tx.execute(text(_LISTENING), {"apps": list(errors), "errors": list(errors.values())})


def mark_for_runs(tx: Tx, app: str, error: str | None) -> None:
    """Records that the router listens for runs at the port of the app's containers, or why it cannot."""
    tx.execute(text("UPDATE addresses SET runs_error = :error WHERE app = :app"), {"app": app, "error": error})


def internal_names(tx: Tx) -> tuple[str, ...]:
    """Lists the internal names of the webservers that are live."""
    return tuple(tx.scalars(text(_NAMES)))


# A replica that fails its checks gets requests only while it still answers and no other replica is healthy.
_REPLICAS = """
SELECT r.container, r.app, r.state, r.address FROM replicas r
WHERE (r.state IN ('leaving', 'draining') AND r.drained_at IS NULL)
   OR (r.state = 'live' AND r.address <> '' AND NOT (r.unhealthy AND (r.silent OR EXISTS (
       SELECT 1 FROM replicas o WHERE o.app = r.app AND o.state = 'live' AND o.address <> '' AND NOT o.unhealthy))))
ORDER BY r.app, r.created_at, r.container
"""
_HOST = "coalesce(l.spec #>> '{hosts,internal}', l.app)"
_NAMES = f"SELECT {_HOST} FROM addresses d JOIN live_releases l ON l.app = d.app ORDER BY 1"  # noqa: S608 - a constant
_RUNS_ADDRESS = "SELECT e.runs_address FROM engines e JOIN instance i ON i.engine = e.id"
_ROUTES = f"""
SELECT d.app, d.port, coalesce(a.forge_state, 'unforged') AS forge, l.n AS release,
       {wanted.BY_APP} AS wanted, {_HOST} AS host, CAST(l.spec ->> 'port' AS int) AS container_port,
       (SELECT min(e.host) FROM external_hosts e WHERE e.app = d.app AND NOT e.leaving) AS external,
       d.entrance,
       (SELECT m.page FROM maintenances m WHERE m.app = d.app) AS maintenance
FROM addresses d LEFT JOIN apps a ON a.name = d.app LEFT JOIN live_releases l ON l.app = d.app
ORDER BY d.app
"""  # noqa: S608 - built from a constant
_DRAINED = """
UPDATE replicas SET drained_at = clock_timestamp()
WHERE container = :container AND state IN ('leaving', 'draining') AND drained_at IS NULL
"""
_LISTENING = """
UPDATE addresses a SET error = said.error,
  listening_at = CASE WHEN said.error IS NULL THEN clock_timestamp() ELSE a.listening_at END
FROM unnest(CAST(:apps AS text[]), CAST(:errors AS text[])) AS said (app, error) WHERE a.app = said.app
"""
