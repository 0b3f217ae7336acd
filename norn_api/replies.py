"""Answers of views: models as JSON, accepted work as 202, and changes that an Idempotency-Key makes happen once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from flask import Response, request, url_for
from pydantic import BaseModel

from norn_api.request import current
from norn_api.schemas.common import ListOf, WorkAccepted
from norn_api.services import actor, norn
from norn_tasks.dispatch import Accepted
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.job import JobKind, JobState
from norn_tasks.store import jobs_read
from norn_tasks.store.idempotency import IdempotencyKey, recall, remember
from norn_tasks.store.reading import Page
from norn_tasks.store.session import Tx

M = TypeVar("M", bound=BaseModel)


def reply(model: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answers a model as JSON."""
    text = model.model_dump_json(by_alias=True)
    response = Response(text, status, content_type="application/json", headers=headers)
    response.headers["Cache-Control"] = "no-store"
    return response


def nothing() -> Response:
    """Answers 204."""
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response


def listed(kind: type[M], page: Page[Any], make: Callable[[Any], M] | None = None) -> Response:
    """Answers a part of a list."""
    return items(kind, map(make or kind.model_validate, page.items), None if page.next is None else str(page.next))


def items(kind: type[M], things: Iterable[M], after: str | None = None) -> Response:
    """Answers things as a list."""
    return reply(ListOf[kind](items=list(things), next=after))  # type: ignore[valid-type]


def accepted(work: Accepted, app: str, kind: JobKind) -> Response:
    """Answers work that was accepted; for a repeated Idempotency-Key as the job stands now."""
    state = str(JobState.QUEUED)
    if work.replayed:
        with norn().database.transaction() as tx:
            state = jobs_read.get(tx, work.job).state
    href = url_for("jobs.get_job", job=work.job)
    told = WorkAccepted(
        job=work.job, app=app, kind=str(kind), state=state, deployment=work.deployment, execution=work.execution,
        href=href,
    )  # fmt: skip
    return reply(told, 202, {"Location": href})


# Idempotency-Key


def key(*, slowly: bool = False) -> IdempotencyKey | None:
    """Answers the request's Idempotency-Key with what it stands for, None without one; raises InvalidRequest.

    `slowly`: the body holds secrets, and what is kept of it must be of no use to who tries one guess after the other.
    """
    given = request.headers.get("Idempotency-Key")
    if given is None:
        return None
    if not re.fullmatch(r"[\x21-\x7e]{1,200}", given):
        raise InvalidRequest(
            "Idempotency-Key: it is not 1 to 200 visible ASCII characters", hint="a UUID makes a good key"
        )
    body = current().read_body(current().json_limit)
    told = request.query_string + b"\0" + body
    asked = hashlib.sha256(told).hexdigest()
    if slowly:
        asked = hashlib.scrypt(told, salt=given.encode(), n=2**14, r=8, p=1, dklen=32).hex()
    return IdempotencyKey(actor().name, request.method, request.path, given, asked)


def once(change: Callable[[Tx], int], *, slowly: bool = False) -> int:
    """Makes a change in one transaction and answers its status; a repeated key changes nothing and answers the same.

    `slowly` as for `key`.
    """
    given = key(slowly=slowly)
    with norn().database.transaction() as tx:
        before = recall(tx, given)
        if before is not None:
            return before.status
        status = change(tx)
        remember(tx, given, None, status)
    return status
