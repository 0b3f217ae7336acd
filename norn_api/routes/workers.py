"""Workers: who is there, how busy, on which engine."""

from __future__ import annotations

from flask import Response

from norn_api.openapi import answers, noun
from norn_api.replies import items, once, reply
from norn_api.schemas.common import ListOf
from norn_api.schemas.server import WorkerAnswer, WorkerPath
from norn_api.services import actor, norn
from norn_tasks.store import workers, workers_read
from norn_tasks.store.session import Tx

api = noun("workers", "Worker processes")


@api.get("/api/workers", responses=answers(ListOf[WorkerAnswer]))
def list_workers() -> Response:
    """Lists the workers that spoke within the last hour."""
    with norn().database.transaction() as tx:
        found = workers_read.listed(tx)
    return items(WorkerAnswer, map(WorkerAnswer.model_validate, found))


@api.post("/api/workers/<name>/drain", responses=answers(WorkerAnswer, 202))
def drain_worker(path: WorkerPath) -> Response:
    """Asks a worker to finish what it has, to take nothing more, and to leave; its row goes when it has left."""
    by = actor().name

    def drain(tx: Tx) -> int:
        workers.drain(tx, path.name, actor=by)
        return 202

    status = once(drain)
    with norn().database.transaction() as tx:
        found = workers_read.one(tx, path.name)
    return reply(WorkerAnswer.model_validate(found), status)
