"""Worker processes: their class, load and engine."""

from __future__ import annotations

from flask import Response

from norn_api.schemas.common import ListOf
from norn_api.schemas.server import WorkerPath, WorkerResponse
from norn_api.services import actor, norn
from norn_api.web.openapi import noun, responses_of
from norn_api.web.replies import items, once, reply
from norn_tasks import dispatch
from norn_tasks.store.database.session import Tx
from norn_tasks.store.fleet import workers_read

api = noun("workers", "Worker processes")


@api.get("/api/workers", responses=responses_of(ListOf[WorkerResponse]))
def list_workers() -> Response:
    """Lists the workers that reported within the last hour."""
    with norn().database.transaction() as tx:
        found = workers_read.listed(tx)
    return items(WorkerResponse, map(WorkerResponse.model_validate, found))


@api.post("/api/workers/<name>/drain", responses=responses_of(WorkerResponse, 202))
def drain_worker(path: WorkerPath) -> Response:
    """Asks a worker to finish its jobs, take no new ones and end; its row is deleted when it has ended."""
    by = actor().name

    def drain(tx: Tx) -> int:
        dispatch.drain_worker(tx, path.name, actor=by)
        return 202

    status = once(drain)
    with norn().database.transaction() as tx:
        found = workers_read.one(tx, path.name)
    return reply(WorkerResponse.model_validate(found), status)
