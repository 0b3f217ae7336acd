"""The addresses and features that containers of runs could reach on each engine at the last observation."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text

from norn_tasks.domain.jobs.facts import Fact
from norn_tasks.domain.jobs.writes import RunsReachSeen
from norn_tasks.store.database.session import Row, Tx

_KEEP = text("""
UPDATE engines SET runs_address = :address, host_reached = :host, metadata_reached = :metadata,
       io_uring = :io_uring, vsock = :vsock, runc = :runc
 WHERE id = :engine
   AND (runs_address, host_reached, metadata_reached, io_uring, vsock, runc)
       IS DISTINCT FROM (:address, :host, :metadata, :io_uring, :vsock, :runc)""")
_KNOWN = text("""
SELECT e.id = i.engine AS home, e.runs_address AS address, e.host_reached AS host, e.metadata_reached AS metadata,
       e.io_uring, e.vsock, e.runc
  FROM engines e, instance i WHERE e.seen_at > clock_timestamp() - interval '2 minutes' ORDER BY e.id""")


@dataclass(frozen=True)
class KnownReach:
    """The reach of runs on an engine; `home`: it is the home engine. A field is None if it was not tried."""

    home: bool
    address: str | None
    host: bool | None
    metadata: bool | None
    io_uring: bool | None
    vsock: bool | None
    runc: str | None


def seen(tx: Tx, _row: Row, write: RunsReachSeen) -> tuple[Fact, ...]:
    """Writes the result into the engine's row, if it has changed."""
    values = {
        "address": write.address or None,
        "host": write.host,
        "metadata": write.metadata,
        "io_uring": write.io_uring,
        "vsock": write.vsock,
        "runc": write.runc,
    }
    tx.execute(_KEEP, {"engine": write.engine, **values})
    return ()


def known(tx: Tx) -> tuple[KnownReach, ...]:
    """Returns the results for all engines that workers report now."""
    return tuple(KnownReach(**row) for row in tx.execute(_KNOWN).mappings())
