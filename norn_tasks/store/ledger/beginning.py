"""Records that the code of runs begins; for a runtime that starts the code together with its container, the same write
records the container.

Runs that begin at the same moment are written in one statement. It passes over a row that another session has locked,
so that no run waits for another one's row. A run that it did not write is then written alone, and waits for the lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from norn_tasks.domain.jobs.container import ContainerRef
from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.domain.jobs.job import Fence, JobKind
from norn_tasks.domain.jobs.placement import HOME
from norn_tasks.store.database.prepared import Prepared, arrays
from norn_tasks.store.database.session import EVENTS, Database
from norn_tasks.store.queue import endings
from norn_tasks.store.rules.fence import held


@dataclass(frozen=True)
class Beginning:
    """A run whose code begins next. `before`: how often its code was started earlier; `container`: its container, if
    this is not recorded yet.
    """

    fence: Fence
    before: int
    container: ContainerRef | None = None


def _executions() -> str:
    return "".join(_execution(kind, table.__tablename__) for kind, table in endings.EXECUTION_TABLES.items())


def _execution(kind: JobKind, table: str) -> str:
    return f""", {table} AS (
  UPDATE {table} x SET state = 'running', begun_at = begun.begun_at, attempt = begun.runs FROM begun
   WHERE x.id = begun.execution AND begun.kind = '{kind}')"""  # noqa: S608 - built from constants


_RETURNED = "j.id, j.lease_token, j.kind, j.app, j.execution, j.begun_at, j.runs, j.event_seq"
_PUBLISHED = f"""{_executions()},
published AS (
  INSERT INTO events(kind, app, job_id, seq, data)
  SELECT '{EventKind.EXECUTION_BEGUN}', app, id, event_seq, jsonb_build_object('execution', execution) FROM begun)
SELECT id, lease_token FROM begun"""  # noqa: S608 - built from constants

# A container pins its job to the container's engine: no worker of another engine may take the job over.
_PINNED = "CASE WHEN j.engine IS NULL OR j.engine = '" + HOME + "' THEN {0} ELSE j.engine END"

_COLUMNS = {"job": "bigint", "token": "bigint", "before": "bigint", "id": "text", "runtime": "text", "engine": "text"}

_BEGIN_MANY = Prepared(f"""
WITH these AS MATERIALIZED ({arrays(_COLUMNS)}),
mine AS MATERIALIZED (
  SELECT t.* FROM these t JOIN jobs j ON {held("j", "t.job", "t.token")} ORDER BY t.job FOR UPDATE OF j SKIP LOCKED),
begun AS (
  UPDATE jobs j SET begun_at = clock_timestamp(), runs = m.before + 1, event_seq = event_seq + 1,
     container = coalesce(m.id, j.container), container_runtime = coalesce(m.runtime, j.container_runtime),
     container_engine = coalesce(m.engine, j.container_engine),
     engine = CASE WHEN m.engine IS NULL THEN j.engine ELSE {_PINNED.format("m.engine")} END
    FROM mine m WHERE j.id = m.job
  RETURNING {_RETURNED}){_PUBLISHED}""")  # noqa: S608 - built from constants

BEGIN = Prepared(f"""
WITH begun AS (
  UPDATE jobs j SET begun_at = clock_timestamp(), runs = :before + 1, event_seq = event_seq + 1
   WHERE {held("j")} RETURNING {_RETURNED}){_PUBLISHED}""")  # noqa: S608 - built from constants
"""Begins one run. It waits for a session that has locked the row, and returns no row if the fence no longer holds."""

RECORD_CONTAINER = Prepared(f"""
UPDATE jobs j SET container = :id, container_runtime = :runtime, container_engine = :engine,
   engine = {_PINNED.format("CAST(:engine AS text)")}
 WHERE {held("j")}
RETURNING id""")  # noqa: S608 - built from constants
"""Records a container before it is started."""

_NOT_NEW = {"id": None, "runtime": None, "engine": None}


def begin(database: Database, these: Sequence[Beginning]) -> list[bool]:
    """Begins these runs in one transaction; returns for each whether it was written."""
    rows = [
        {"job": each.fence.job, "token": each.fence.token, "before": each.before,
         **(_NOT_NEW if each.container is None else asdict(each.container))}
        for each in these
    ]  # fmt: skip
    values = {name: [row[name] for row in rows] for name in _COLUMNS}
    written = database.execute_autocommit(_BEGIN_MANY, values, lambda row: (EVENTS, str(row["id"])))
    begun = {Fence(row["id"], row["lease_token"]) for row in written}
    return [each.fence in begun for each in these]
