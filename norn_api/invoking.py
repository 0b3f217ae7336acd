"""Accepting a call and waiting for its end, for both doors of a function: `/invoke` and `/fn`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from flask import g

from norn_api.calls import interrupted, not_in_time, passed_on
from norn_api.replies import key
from norn_api.request import current
from norn_api.services import actor, norn
from norn_tasks.dispatch import Accepted, request_invoke
from norn_tasks.domain.call import Call
from norn_tasks.domain.errors import AppNotFound, InvalidRequest, WrongRole
from norn_tasks.domain.execution import ExecutionState
from norn_tasks.domain.infraspec import FunctionOptions, Record, Role
from norn_tasks.store import apps, call_records, executions, releases
from norn_tasks.store.executions import Answer, FunctionCall

GRACE_SECONDS = 4.0
"""How much longer than the call's own time its end is waited for: the worker ends it then, gently for a second, and
writes how; a machine with much to do takes a moment longer."""


def options_of(app: str) -> FunctionOptions:
    """Answers how a function is called; raises AppNotFound, WrongRole or NotDeployed."""
    with norn().database.transaction() as tx:
        found = apps.function_options(tx, app)
        if found is not None:
            return found
        role = apps.find(tx, norn().settings.apps_dir, app, standing=True).spec.role
        if role is not Role.FUNCTION:
            raise WrongRole(f"{app} is a {role}: only a function can be called", hint=f"norn status {app}")
        raise releases.none_yet(tx, app)


def read_call(app: str, options: FunctionOptions, *, method: str, path: str, query: str) -> Call:
    """Reads the request as a call; raises BodyTooLarge while reading, before anything is kept."""
    asked = current()
    if "\0" in path or "\0" in query or len(path) + len(query) > 8192:
        raise InvalidRequest("path: it holds a NUL or is over 8192 characters", hint="send the rest in the body")
    headers = passed_on(asked.headers.items())
    hint = "raise function.maxBody in its infraspec.yaml"
    body = asked.read_body(options.max_body, f"the body of a call of {app}", hint)
    content_type = headers.get("content-type", "")
    return Call(method=method, path=path, query=query, headers=headers, content_type=content_type, body=body)


def wants_async() -> bool:
    """True when the sender asks for 202 by `Prefer: respond-async` (RFC 7240)."""
    preferences = ",".join(current().headers.getlist("Prefer"))
    return any(part.strip().lower() == "respond-async" for part in re.split("[,;]", preferences))


def accept(app: str, call: Call, *, sync: bool, release: int | None = None) -> Accepted:
    """Accepts a call; its id stands in the answer's headers whatever comes after."""
    try:
        work = request_invoke(norn().intake, app, call=call, sync=sync, actor=actor().name, key=key(), release=release)
    except AppNotFound:
        options_of(app)
        raise
    g.invocation = work.execution
    return work


def wait_for(execution: int, timeout: float) -> bool:
    """Waits for a call's end; False when its time is up. Raises Unavailable when the process has to end."""
    if norn().waiting.until_ended(execution, timeout + GRACE_SECONDS):
        return True
    if norn().closing.is_set():
        raise interrupted(execution)
    return False


@contextmanager
def waiting_place() -> Iterator[None]:
    """Holds a place for one who will wait, before anything is accepted; raises TooManyRequests."""
    with norn().waiting.place():
        yield


def end_of(execution: int, timeout: float) -> tuple[FunctionCall, Answer]:
    """Waits for a call's end, and answers how it ended and its bytes; raises what it is told as when it has not.

    With that the answer is taken; who may ask again under an Idempotency-Key gets it for a while longer.
    """
    in_time = wait_for(execution, timeout)
    call, answer = outcome(execution)
    if call.record != Record.FULL and call.finished_at is not None and key() is None:
        with norn().database.transaction() as tx:
            call_records.taken(tx, execution)
    if not in_time and not ExecutionState(call.state).terminal:
        raise not_in_time(call, timeout)
    return call, answer


def outcome(execution: int) -> tuple[FunctionCall, Answer]:
    """Answers how a call stands, and its bytes."""
    with norn().database.transaction() as tx:
        return executions.call(tx, execution), executions.answer(tx, execution)
