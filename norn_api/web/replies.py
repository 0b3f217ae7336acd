"""Responses of views: models as JSON, accepted work as 202, and changes that an Idempotency-Key limits to one
execution.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from flask import Response, request, url_for
from pydantic import BaseModel

from norn_api.schemas.common import ListOf, WorkAccepted
from norn_api.services import actor, norn, turn
from norn_api.web.request import current
from norn_tasks import dispatch
from norn_tasks.dispatch import Accepted
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.jobs.job import JobKind, JobState
from norn_tasks.store.access.idempotency import IdempotencyKey
from norn_tasks.store.database.pages import Page
from norn_tasks.store.database.session import Tx
from norn_tasks.store.queue import jobs_read

M = TypeVar("M", bound=BaseModel)


def reply(model: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Returns a model as a JSON response."""
    text = model.model_dump_json(by_alias=True)
    response = Response(text, status, content_type="application/json", headers=headers)
    response.headers["Cache-Control"] = "no-store"
    return response


def nothing() -> Response:
    """Returns an empty response, 204."""
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response


def listed(kind: type[M], page: Page[Any], make: Callable[[Any], M] | None = None) -> Response:
    """Returns a page of a list as a response."""
    return items(kind, map(make or kind.model_validate, page.items), None if page.next is None else str(page.next))


def items(kind: type[M], things: Iterable[M], after: str | None = None) -> Response:
    """Returns objects as a list response."""
    return reply(ListOf[kind](items=list(things), next=after))  # type: ignore[valid-type]


def accepted(work: Accepted, app: str, kind: JobKind) -> Response:
    """Returns the 202 for accepted work: it shows the job as queued, or for a repeated Idempotency-Key in its current
    state.
    """
    state = str(JobState.QUEUED)
    if work.replayed:
        with norn().database.transaction() as tx:
            state = jobs_read.get(tx, work.job).state
    href = url_for("jobs.get_job", job=work.job)
    body = WorkAccepted(
        job=work.job, app=app, kind=str(kind), state=state, deployment=work.deployment, execution=work.execution,
        href=href,
    )  # fmt: skip
    return reply(body, 202, {"Location": href})


# Idempotency-Key


def has_key() -> bool:
    """Returns True if the request has an Idempotency-Key."""
    return "Idempotency-Key" in request.headers


def key(body: bytes | None = None, *, slowly: bool = False) -> IdempotencyKey | None:
    """Returns the request's Idempotency-Key with the hash of the request, None without one; raises InvalidRequest.

    `body`: the body of the request, if it was read already. `slowly`: the body holds secrets, so it is hashed with a
    slow function, which makes guessing them hard.
    """
    given = request.headers.get("Idempotency-Key")
    if given is None:
        return None
    if not re.fullmatch(r"[\x21-\x7e]{1,200}", given):
        raise InvalidRequest(
            "Idempotency-Key: it is not 1 to 200 visible ASCII characters", hint="a UUID makes a good key"
        )
    if body is None:
        body = current().read_body(current().json_limit)
    sent = request.query_string + b"\0" + body
    asked = hashlib.sha256(sent).hexdigest()
    if slowly:
        with turn():
            asked = hashlib.scrypt(sent, salt=given.encode(), n=2**14, r=8, p=1, dklen=32).hex()
    return IdempotencyKey(actor().name, request.method, request.path, given, asked)


def once(change: Callable[[Tx], int], *, slowly: bool = False) -> int:
    """Makes a change in one transaction, and returns the HTTP status that `change` returns.

    If the Idempotency-Key of the request was used before, changes nothing and returns the status of the first time.
    `slowly`: see `key`.
    """
    return dispatch.change(norn().intake, key(slowly=slowly), change)
