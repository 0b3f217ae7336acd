"""Workers: who is there, how busy, on which engine."""

from __future__ import annotations

from flask import Response

from norn_api.openapi import answers, noun
from norn_api.replies import items
from norn_api.schemas.common import ListOf
from norn_api.schemas.server import WorkerAnswer
from norn_api.services import norn
from norn_tasks.store import workers_read

api = noun("workers", "Worker processes")


@api.get("/api/workers", responses=answers(ListOf[WorkerAnswer]))
def list_workers() -> Response:
    """Lists the workers that spoke within the last hour."""
    with norn().database.transaction() as tx:
        found = workers_read.listed(tx)
    return items(WorkerAnswer, map(WorkerAnswer.model_validate, found))
