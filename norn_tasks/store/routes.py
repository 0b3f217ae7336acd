"""The docker cluster's memory: which replicas an app has, at which port it is reached, and how far a leaving one is.

Workers write replicas under their job's fence, the router reads them and answers with `drained_at`; either side may die
at any point, the rows say where the other was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass

from sqlalchemy import RowMapping, text

from norn_tasks.domain.app_status import ForgeState
from norn_tasks.domain.errors import LeaseLost, NotFound, Unavailable
from norn_tasks.domain.job import Fence
from norn_tasks.domain.replica import Replica, ReplicaState
from norn_tasks.store.session import ROUTES, Database, T, Tx, note, patiently

# What workers write


class ReplicaTable:
    """The replicas as rows; keeps `ports.Replicas`. `patience` seconds bound the retries while PostgreSQL is away."""

    def __init__(self, database: Database, *, patience: float = 0) -> None:
        self._database, self._patience = database, patience

    def of_app(self, app: str) -> tuple[Replica, ...]:
        """Lists the app's replicas that are not gone, oldest first."""
        rows = self._patiently(lambda tx: tx.execute(text(_OF_APP), {"app": app}).mappings().all())
        return tuple(Replica(**row) for row in rows)

    def starting(self, replica: Replica, fence: Fence) -> None:
        """Records a created container before it is started; recording it again starts its life anew."""

        def write(tx: Tx) -> None:
            _hold(tx, fence)
            tx.execute(text(_STARTING), {**asdict(replica), "state": ReplicaState.STARTING, "token": fence.token})
            _notify(tx, replica.app)

        self._patiently(write)

    def live(self, container: str, address: str, fence: Fence) -> None:
        """It passed its gate: the router may send to `address`. Raises NotFound for a container without a row."""
        if not self._change(_LIVE, container, fence, address=address):
            raise NotFound(f"container {container} was never recorded as a replica", hint="deploy the app again")

    def leaving(self, container: str, fence: Fence) -> None:
        """It takes no new requests from now on; one that is gone stays gone."""
        self._change(_LEAVING, container, fence)

    def drained(self, container: str) -> bool:
        """True when the router has said that no request is open on it, or it has no row any more."""
        return self._patiently(lambda tx: tx.scalar(text(_UNDRAINED), {"container": container})) is None

    def gone(self, container: str, fence: Fence) -> None:
        """It is removed from the engine, and so is its row."""
        self._change(_GONE, container, fence)

    def _change(self, statement: str, container: str, fence: Fence, **values: str) -> bool:
        def write(tx: Tx) -> bool:
            _hold(tx, fence)
            app = tx.scalar(text(statement), {"container": container, "token": fence.token, **values})
            if app is not None:
                _notify(tx, app)
            return app is not None

        return self._patiently(write)

    def _patiently(self, work: Callable[[Tx], T]) -> T:
        """Does it in a transaction; every change here is the same when it is made twice."""

        def transaction() -> T:
            with self._database.transaction() as tx:
                return work(tx)

        return patiently(transaction, self._patience)


def _hold(tx: Tx, fence: Fence) -> None:
    if tx.scalar(text(_FENCE), {"job": fence.job, "token": fence.token}) is None:
        raise LeaseLost(f"job {fence.job} is not this worker's any more", job=fence.job)


def _notify(tx: Tx, app: str) -> None:
    note(tx, ROUTES, app)


_FENCE = "SELECT 1 FROM jobs WHERE id = :job AND lease_token = :token AND state = 'running' FOR SHARE"
_OF_APP = """
SELECT container, app, release, generation, state, address FROM replicas WHERE app = :app ORDER BY created_at, container
"""
_STARTING = """
INSERT INTO replicas (container, app, release, generation, state, address, token)
VALUES (:container, :app, :release, :generation, :state, :address, :token)
ON CONFLICT (container) DO UPDATE SET app = excluded.app, release = excluded.release, generation = excluded.generation,
  state = excluded.state, address = excluded.address, token = excluded.token, drained_at = NULL
"""
_LIVE = """
UPDATE replicas SET state = 'live', address = :address, token = :token, drained_at = NULL
WHERE container = :container RETURNING app
"""
_LEAVING = """
UPDATE replicas SET state = 'leaving', token = :token, drained_at = CASE WHEN state = 'leaving' THEN drained_at END
WHERE container = :container RETURNING app
"""
_UNDRAINED = "SELECT 1 FROM replicas WHERE container = :container AND drained_at IS NULL"
_GONE = "DELETE FROM replicas WHERE container = :container RETURNING app"


# The stable addresses


@dataclass(frozen=True)
class Listening:
    """An app's port, what keeps the router from listening there, and how long ago (seconds) it last said it does."""

    app: str
    port: int
    error: str | None
    silent: float | None


def reserve_address(tx: Tx, app: str, first: int, last: int) -> int:
    """Gives the app the lowest free port of first…last and answers it; an app that has one keeps it.

    Only a port that the router could never listen on is given back for another. Raises Unavailable when all are out.
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
    _notify(tx, app)
    return int(port)


def release_address(tx: Tx, app: str) -> None:
    """Gives the app's port back; none is fine."""
    if tx.scalar(text("DELETE FROM addresses WHERE app = :app RETURNING app"), {"app": app}) is not None:
        _notify(tx, app)


def addresses(tx: Tx) -> tuple[Listening, ...]:
    """Lists all addresses with what the router last said of them."""
    return tuple(Listening(**row) for row in tx.execute(text(_ADDRESSES)).mappings())


_FREE_PORT = """
SELECT p FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) p
WHERE NOT EXISTS (SELECT 1 FROM addresses WHERE port = p) ORDER BY p LIMIT 1
"""
_RESERVE = """
INSERT INTO addresses (app, port) VALUES (:app, :port) ON CONFLICT (app) DO UPDATE SET port = :port, error = NULL
"""
_ADDRESSES = """
SELECT app, port, error, CAST(extract(epoch FROM clock_timestamp() - listening_at) AS float8) AS silent
FROM addresses ORDER BY app
"""


# What the router reads and answers


@dataclass(frozen=True)
class Target:
    """A live replica, by its container and `ip:port`."""

    container: str
    address: str


@dataclass(frozen=True)
class Route:
    """An app with an address: its port, where its requests go, and the facts that a 503 tells."""

    app: str
    port: int
    targets: tuple[Target, ...]
    forge: str = ForgeState.FORGED
    release: int | None = None
    wanted: int = 1


@dataclass(frozen=True)
class Routes:
    """One look at the rows: all routes, and the leaving containers that are not marked drained yet."""

    routes: tuple[Route, ...]
    leaving: frozenset[str] = frozenset()


def live_routes(tx: Tx) -> Routes:
    """Reads the whole routing table; a replica is in it as live or as leaving, never both."""
    targets: dict[str, list[Target]] = defaultdict(list)
    leaving = set()
    for row in tx.execute(text(_REPLICAS)).mappings():
        if row["state"] == ReplicaState.LEAVING:
            leaving.add(row["container"])
        else:
            targets[row["app"]].append(Target(row["container"], row["address"]))
    rows = tx.execute(text(_ROUTES)).mappings()
    return Routes(tuple(_route(row, targets.get(row["app"], [])) for row in rows), frozenset(leaving))


def _route(row: RowMapping, targets: list[Target]) -> Route:
    return Route(targets=tuple(targets), **row)


def mark_drained(tx: Tx, container: str) -> None:
    """Says that no request is open on a leaving replica; saying it twice, or of a gone one, changes nothing."""
    tx.execute(text(_DRAINED), {"container": container})


def mark_listening(tx: Tx, app: str, error: str | None) -> None:
    """Says that the router listens at the app's port just now, or the sentence why it cannot."""
    tx.execute(text(_LISTENING if error is None else _NOT_LISTENING), {"app": app, "error": error})


_REPLICAS = """
SELECT container, app, state, address FROM replicas
WHERE (state = 'live' AND address <> '') OR (state = 'leaving' AND drained_at IS NULL)
ORDER BY app, created_at, container
"""
_ROUTES = """
SELECT d.app, d.port, coalesce(a.forge_state, 'unforged') AS forge, l.release,
       coalesce(a.replicas_override, CAST(a.spec ->> 'replicas' AS bigint), 1) AS wanted
FROM addresses d LEFT JOIN apps a ON a.name = d.app LEFT JOIN deployments l ON l.id = a.live_deployment
ORDER BY d.app
"""
_DRAINED = """
UPDATE replicas SET drained_at = clock_timestamp()
WHERE container = :container AND state = 'leaving' AND drained_at IS NULL
"""
_LISTENING = "UPDATE addresses SET error = NULL, listening_at = clock_timestamp() WHERE app = :app"
_NOT_LISTENING = "UPDATE addresses SET error = :error WHERE app = :app"
