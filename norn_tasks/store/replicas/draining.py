"""Draining replicas: replaced by a rollout, without new requests, and running until their open connections have ended.

Each has a row with the time at which it ends at the latest. The scheduler requests the job that ends it as soon as one
of these is true: the router has reported that no connection is open, its time is over, its app has too many draining
replicas, or other work needs its memory.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import text

from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.store.database.session import Tx
from norn_tasks.store.events.publishing import publish
from norn_tasks.store.fleet import memory

MOST = 32
"""The most replicas of one app that may drain at the same time; if there are more, the ones whose time would end first
are ended.
"""
DUE = "state = 'draining' AND (drained_at IS NOT NULL OR drains_until <= clock_timestamp())"
"""The condition of a draining replica that is to be removed."""


def begun(tx: Tx, container: str) -> None:
    """Publishes that a replica drains. If too many replicas of its app drain, the ones whose time would end first must
    end now.
    """
    row = tx.execute(text(_BEGUN), {"container": container}).one()
    publish(
        tx, EventKind.REPLICA_DRAINING, app=row.app, replica=container[:12], release=row.release,
        until=row.drains_until.isoformat(timespec="seconds"),
    )  # fmt: skip
    tx.execute(text(_TOO_MANY), {"app": row.app, "most": MOST})


def publish_end(tx: Tx, container: str) -> None:
    """Publishes the end of a draining replica, and whether connections were cut; does nothing for any other one."""
    row = tx.execute(text(_ENDED), {"container": container}).one_or_none()
    if row is not None:
        cut = 0 if row.drained_at is not None else row.connections
        publish(tx, EventKind.REPLICA_DRAINED, app=row.app, replica=container[:12], release=row.release, cut=cut)


def any_there(tx: Tx) -> bool:
    """Returns True if a replica is draining."""
    return bool(tx.scalar(text("SELECT EXISTS (SELECT 1 FROM replicas WHERE state = 'draining')")))


def any_due(tx: Tx) -> bool:
    """Returns True if a draining replica is to be removed."""
    return bool(tx.scalar(text(f"SELECT EXISTS (SELECT 1 FROM replicas WHERE {DUE})")))  # noqa: S608 - a constant


def make_room(tx: Tx) -> int:
    """Ends the time of as many draining replicas as are needed for the oldest job that waits for memory; returns how
    many.

    The replicas whose time would end first go first. Ends none if all of them together would not be enough, or while
    replicas are about to be removed.
    """
    short = memory.short_of(tx)
    if short is None or any_due(tx):
        return 0
    free, chosen = short.free, []
    for row in tx.execute(text(_CANDIDATES)):
        if free >= short.need:
            break
        free += row.memory
        chosen.append(row.container)
    if free < short.need or not chosen:
        return 0
    tx.execute(text(_END), {"containers": chosen})
    return len(chosen)


def count_connections(tx: Tx, counts: Mapping[str, int]) -> None:
    """Records how many connections are open on each of these containers, as the router counts them."""
    tx.execute(text(_COUNTED), {"containers": list(counts), "counts": list(counts.values())})


_BEGUN = "SELECT app, release, drains_until FROM replicas WHERE container = :container"
_ENDED = """
SELECT app, release, drained_at, connections FROM replicas WHERE container = :container AND state = 'draining'
"""
_TOO_MANY = """
UPDATE replicas SET drains_until = clock_timestamp() WHERE container IN (
  SELECT container FROM replicas WHERE app = :app AND state = 'draining' AND drains_until > clock_timestamp()
   ORDER BY drains_until DESC, container OFFSET :most)
"""
_CANDIDATES = """
SELECT container, memory FROM replicas WHERE state = 'draining' AND memory IS NOT NULL
 ORDER BY drains_until, container
"""
_END = "UPDATE replicas SET drains_until = clock_timestamp() WHERE state = 'draining' AND container = ANY(:containers)"
_COUNTED = """
UPDATE replicas r SET connections = said.open
FROM unnest(CAST(:containers AS text[]), CAST(:counts AS bigint[])) AS said (container, open)
WHERE r.container = said.container AND r.state IN ('leaving', 'draining') AND r.connections IS DISTINCT FROM said.open
"""
