"""The replicas of the docker cluster as rows.

Workers write the row of a replica under their job's fence; the router reads the row and writes `drained_at`. A worker
or the router may die at any moment: the row shows how far it had got.
"""

from __future__ import annotations

from sqlalchemy import RowMapping, text

from norn_tasks.domain.errors import LeaseLost
from norn_tasks.domain.infraspec import Health
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.jobs.replica import Replica, ReplicaState
from norn_tasks.store.database.session import ROUTES, Tx, note
from norn_tasks.store.replicas import draining
from norn_tasks.store.rules.fence import held

_GIVEN = ("container", "app", "release", "generation", "address", "memory")


def of_app(tx: Tx, app: str) -> tuple[Replica, ...]:
    """Lists the app's replicas that have a row, oldest first."""
    return tuple(_replica(row) for row in tx.execute(text(_OF_APP), {"app": app}).mappings())


def due(tx: Tx) -> tuple[Replica, ...]:
    """Lists the draining replicas without an open connection, and those whose time is over."""
    return tuple(_replica(row) for row in tx.execute(text(_DUE)).mappings())


def _replica(row: RowMapping) -> Replica:
    health = Health.model_validate(row["health"]) if row["health"] is not None else None
    return Replica(**{**row, "health": health})


def starting(tx: Tx, replica: Replica, fence: Fence) -> None:
    """Records a created container before it is started; recording it again resets its state."""
    hold(tx, fence)
    given = {name: getattr(replica, name) for name in _GIVEN}
    health = replica.health.model_dump_json(by_alias=True) if replica.health is not None else None
    tx.execute(text(_STARTING), {**given, "state": ReplicaState.STARTING, "health": health, "token": fence.token})
    note(tx, ROUTES, replica.app)


def live(tx: Tx, container: str, address: str, fence: Fence) -> bool:
    """Lets the router send requests to `address`; returns False for a container without a row."""
    return _changed(tx, _LIVE, container, fence, address=address)


def leaving(tx: Tx, container: str, fence: Fence) -> None:
    """Stops new requests to a replica; does nothing if it has no row."""
    _changed(tx, _LEAVING, container, fence)


def drained(tx: Tx, container: str) -> bool:
    """Returns True when the router has no open request on the replica, or when the replica has no row."""
    return tx.scalar(text(_UNDRAINED), {"container": container}) is None


def gone(tx: Tx, container: str, fence: Fence) -> None:
    """Removes the row of a container that the engine no longer has; publishes the end of a draining replica."""
    hold(tx, fence)
    draining.publish_end(tx, container)
    _changed(tx, _GONE, container, fence)


def drain(tx: Tx, container: str, seconds: float, fence: Fence) -> None:
    """Lets a leaving replica run on for its open connections, for `seconds` at most."""
    if _changed(tx, _DRAINING, container, fence, seconds=seconds):
        draining.begun(tx, container)


def ending(tx: Tx, container: str, fence: Fence) -> bool:
    """Ends the time of a draining replica now; returns False if it is not draining."""
    return _changed(tx, _ENDING, container, fence)


def _changed(tx: Tx, statement: str, container: str, fence: Fence, **values: str | float) -> bool:
    hold(tx, fence)
    app = tx.scalar(text(statement), {"container": container, "token": fence.token, **values})
    if app is not None:
        note(tx, ROUTES, app)
    return app is not None


def hold(tx: Tx, fence: Fence) -> None:
    """Raises LeaseLost if the job's token is no longer valid. Until the transaction ends, no other worker can take the
    job over.
    """
    if tx.scalar(text(_FENCE), {"job": fence.job, "token": fence.token}) is None:
        raise LeaseLost(f"job {fence.job} is no longer held by this worker", job=fence.job)


_FENCE = f"SELECT 1 FROM jobs WHERE {held()} FOR SHARE"  # noqa: S608 - built from a constant
_COLUMNS = """container, app, release, generation, state, address, memory, health, failures, fault, silent,
  CAST(extract(epoch FROM clock_timestamp() - checked_at) AS float8) AS unchecked,
  CASE WHEN state = 'draining' THEN drains_until END AS until, CASE WHEN state = 'draining' THEN connections END
    AS connections"""
_OF_APP = f"SELECT {_COLUMNS} FROM replicas WHERE app = :app ORDER BY created_at, container"  # noqa: S608 - a constant
_DUE = f"SELECT {_COLUMNS} FROM replicas WHERE {draining.DUE} ORDER BY drains_until, container"  # noqa: S608 - constants
_STARTING = """
INSERT INTO replicas (container, app, release, generation, state, address, memory, health, token)
VALUES (:container, :app, :release, :generation, :state, :address, :memory, CAST(:health AS jsonb), :token)
ON CONFLICT (container) DO UPDATE SET app = excluded.app, release = excluded.release, generation = excluded.generation,
  state = excluded.state, address = excluded.address, memory = excluded.memory, health = excluded.health,
  token = excluded.token, drained_at = NULL, drains_until = NULL, connections = NULL,
  failures = 0, fault = '', silent = false, unhealthy = false,
  checked_at = NULL
"""
_LIVE = """
UPDATE replicas SET state = 'live', address = :address, token = :token, drained_at = NULL
WHERE container = :container RETURNING app
"""
_LEAVING = """
UPDATE replicas SET state = 'leaving', token = :token, drained_at = CASE WHEN state = 'leaving' THEN drained_at END
WHERE container = :container RETURNING app
"""
_DRAINING = """
UPDATE replicas SET state = 'draining', token = :token,
  drains_until = clock_timestamp() + make_interval(secs => CAST(:seconds AS float8))
WHERE container = :container AND state = 'leaving' RETURNING app
"""
_ENDING = """
UPDATE replicas SET token = :token, drains_until = least(drains_until, clock_timestamp())
WHERE container = :container AND state = 'draining' RETURNING app
"""
_UNDRAINED = "SELECT 1 FROM replicas WHERE container = :container AND drained_at IS NULL"
_GONE = "DELETE FROM replicas WHERE container = :container RETURNING app"
