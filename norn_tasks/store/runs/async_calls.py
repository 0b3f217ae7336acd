"""Accepts asynchronous calls of one function in one statement, which is a transaction by itself.

The statement contains the release that the caller believes to be live, and accepts nothing if another release is live
by now.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from norn_tasks.domain.infraspec import Role
from norn_tasks.domain.jobs.call import Call
from norn_tasks.domain.jobs.requests import InvokeJobRequest
from norn_tasks.store.database.prepared import Prepared
from norn_tasks.store.database.session import EVENTS, Database, Note, Row
from norn_tasks.store.queue.jobs import accepted
from norn_tasks.store.runs.runs import AcceptedRun


@dataclass(frozen=True)
class KnownRelease:
    """The release of a function that a process believes to be live; a deploy may have replaced it since."""

    app: str
    """The function."""
    n: int
    """The number of the release."""
    record: str
    """The part of a call's bytes that is kept after its answer was read: `full`, `output` or `meta`."""
    max_runs: int
    """How often the code of a call may begin."""


@dataclass(frozen=True)
class AsyncCall:
    """An asynchronous call that has arrived, and who sent it."""

    call: Call
    actor: str


_ACCEPT = Prepared(f"""
WITH live AS MATERIALIZED (
  SELECT l.n, l.image_id, l.engine, l.spec FROM live_releases l JOIN apps a ON a.name = l.app
   WHERE l.app = CAST(:app AS text) AND l.n = CAST(:release AS bigint) AND a.role = '{Role.FUNCTION}'),
new AS MATERIALIZED (
  SELECT nextval('jobs_id_seq') AS id, CAST(:kind AS text) AS kind, CAST(:class AS text) AS class,
         CAST(:app AS text) AS app, false AS exclusive, live.spec, CAST(:args AS jsonb) AS args, asked.actor,
         CAST(NULL AS text) AS dedupe_key, live.engine, CAST(NULL AS text) AS cluster, live.n AS release,
         nextval('executions') AS execution, false AS sync, CAST(:max_runs AS bigint) AS max_runs,
         clock_timestamp() AS run_after, clock_timestamp() + make_interval(secs => :patience) AS deadline,
         live.image_id, asked.method, asked.path, asked.query, asked.headers, asked.content_type, asked.body, asked.k
    FROM live, unnest(CAST(:actors AS text[]), CAST(:methods AS text[]), CAST(:paths AS text[]),
                      CAST(:queries AS text[]), CAST(:headers AS text[]), CAST(:content_types AS text[]),
                      CAST(:bodies AS bytea[])) WITH ORDINALITY
           AS asked(actor, method, path, query, headers, content_type, body, k)),
{accepted("new")},
run AS (
  INSERT INTO func_executions(id, app, job_id, release, image_id, actor, sync, method, path, query, headers,
                              content_type, request_size, record)
  SELECT execution, app, id, release, image_id, actor, sync, method, path, query, CAST(headers AS jsonb),
         content_type, length(body), CAST(:record AS text) FROM new),
bytes AS (INSERT INTO execution_io(execution, request) SELECT execution, body FROM new)
SELECT id, execution FROM new ORDER BY k""")  # noqa: S608 - built from constants


def accept(
    database: Database, release: KnownRelease, calls: Sequence[AsyncCall], *, patience: float
) -> list[AcceptedRun] | None:
    """Accepts calls, which may wait `patience` seconds to begin; returns None if another release is live by now."""
    request = InvokeJobRequest(None)
    values = {
        "app": release.app, "release": release.n, "record": release.record, "max_runs": release.max_runs,
        "kind": str(request.kind), "class": str(request.kind.job_class), "args": json.dumps(request.to_json()),
        "patience": patience,
        "actors": [each.actor for each in calls], "methods": [each.call.method for each in calls],
        "paths": [each.call.path for each in calls], "queries": [each.call.query for each in calls],
        "headers": [json.dumps(dict(each.call.headers)) for each in calls],
        "content_types": [each.call.content_type for each in calls], "bodies": [each.call.body for each in calls],
    }  # fmt: skip
    rows = database.commit_one(_ACCEPT, values, _notes)
    return [AcceptedRun(row["id"], row["execution"]) for row in rows] or None


def _notes(rows: Sequence[Row]) -> list[Note]:
    return [(EVENTS, str(row["id"])) for row in rows]
