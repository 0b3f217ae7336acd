"""Reads and accepts a call, for both addresses of a function: `/invoke` and `/fn`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from os import SEEK_END
from typing import IO

from flask import g

from norn_api.calling import open_calls
from norn_api.calling.calls import passed_on
from norn_api.services import actor, holder, norn
from norn_api.web.replies import key
from norn_api.web.request import current
from norn_tasks.dispatch import Accepted, request_grouped_invoke, request_invoke
from norn_tasks.domain.errors import AppNotFound, InvalidRequest, WrongRole
from norn_tasks.domain.infraspec import FunctionOptions, Role
from norn_tasks.domain.jobs.call import Call
from norn_tasks.store.apps import registry
from norn_tasks.store.apps.registry import LiveFunction
from norn_tasks.store.releases import releases

SMALL_BODY = 64 * 1024
"""Bodies up to this size in bytes are stored at once. Of larger ones, a process stores only a few at a time, and the
others wait for their turn.
"""
TURN_SECONDS = 30.0
"""How many seconds a large body waits for its turn; after that the call is refused, and nothing was done."""
BODY_SECONDS = 18.0
"""How long the database may take to store a large body; PostgreSQL itself ends a statement after 20 s."""


CALLBACK = "X-Norn-Callback"
"""The header that names a destination of notifications, to which the end of an asynchronous call is reported."""


def function_of(app: str) -> LiveFunction:
    """Returns the live release of a function; raises AppNotFound, WrongRole or NotDeployed."""
    with norn().database.transaction() as tx:
        found = registry.live_function(tx, app)
        if found is not None:
            return found
        role = registry.find(tx, norn().settings.apps_dir, app, registered_only=True).spec.role
        if role is not Role.FUNCTION:
            raise WrongRole(f"{app} is a {role}: only a function can be called", hint=f"norn status {app}")
        raise releases.none_yet(tx, app)


def recent_function_of(app: str) -> LiveFunction:
    """Returns the live release of a function as it was within the last second, for an asynchronous call.

    The release may have been replaced since; accepting the call checks that. If the body is too large for this release,
    or its size is unknown, the release is read again. Raises as `function_of` does.
    """
    functions, size = norn().functions, current().content_length
    found = functions.get(app, function_of)
    assert found is not None, "function_of raises instead"
    return function_of(app) if size is None or size > found.options.max_body else found


@dataclass(frozen=True)
class ReceivedCall:
    """A request for a call whose body has arrived. A large body is in a file, so that waiting costs no memory."""

    call: Call
    """The call, without its body."""
    body: IO[bytes]
    """Its body."""
    size: int
    """The size of its body in bytes."""


@contextmanager
def received_call(app: str, options: FunctionOptions, *, method: str, path: str, query: str) -> Iterator[ReceivedCall]:
    """Yields the call that the request describes, after reading its body. Raises InvalidRequest, Forbidden, BadRequest,
    HeadersTooLarge, BodyTooLarge or TooManyRequests before anything is stored.
    """
    asked = current()
    if "\0" in path or "\0" in query or len(path) + len(query) > 8192:
        raise InvalidRequest("path: it holds a NUL or is over 8192 characters", hint="send the rest in the body")
    headers = passed_on(asked.headers.items())
    what, hint = f"the body of a call of {app}", "raise function.maxBody in its infraspec.yaml"
    open_calls.refuse_key()
    with open_calls.body_in_time():
        spooled = asked.spooled_body(options.max_body, what, hint, norn().settings.data_dir, SMALL_BODY)
    with spooled as body:
        size = body.seek(0, SEEK_END)
        call = Call(method, path, query, headers, headers.get("content-type", ""))
        yield ReceivedCall(call, body, size)


def wants_async() -> bool:
    """Returns True if the sender asks for an immediate 202 with `Prefer: respond-async` (RFC 7240)."""
    preferences = ",".join(current().headers.getlist("Prefer"))
    return any(part.strip().lower() == "respond-async" for part in re.split("[,;]", preferences))


def wants_stream() -> bool:
    """Returns True if the sender wants the answer while the function prints it: it accepts `text/event-stream`."""
    accepted = ",".join(current().headers.getlist("Accept")).lower()
    return any(part.partition(";")[0].strip() == "text/event-stream" for part in accepted.split(","))


def accept(
    app: str, received: ReceivedCall, *, sync: bool, stream: bool = False, known: LiveFunction | None = None
) -> Accepted:
    """Accepts a call that has arrived; only a few large bodies are written to the database at the same time."""
    with ExitStack() as held:
        if received.size > SMALL_BODY:
            held.enter_context(norn().bodies.place(TURN_SECONDS))
            held.enter_context(norn().database.patient(BODY_SECONDS))
        received.body.seek(0)
        call = replace(received.call, body=received.body.read())
        return accept_call(app, call, sync=sync, stream=stream, known=known)


def accept_call(
    app: str, call: Call, *, sync: bool, release: int | None = None, stream: bool = False,
    known: LiveFunction | None = None,
) -> Accepted:  # fmt: skip
    """Accepts a call; from then on the response has the call's id in a header, even if an error follows.

    `known`: the function's live release as this process remembers it; it is given only for an asynchronous call.
    """
    by, used, callback = actor().name, key(call.body), _callback(sync=sync)
    try:
        if known is not None and used is None and callback is None:
            work = request_grouped_invoke(norn().intake, app, known, call=call, actor=by, holder=holder())
        else:
            work = request_invoke(
                norn().intake, app, call=call, sync=sync, actor=by, key=used, release=release, holder=holder(),
                callback=callback, stream=stream,
            )  # fmt: skip
    except AppNotFound:
        function_of(app)
        raise
    g.invocation = work.execution
    return work


def _callback(*, sync: bool) -> str | None:
    """Returns the destination to which the end of the call is reported; None if there is none. Raises InvalidRequest or
    Forbidden.
    """
    name = current().headers.get(CALLBACK)
    if name is None:
        return None
    open_calls.refuse_callback(CALLBACK)
    if sync:
        raise InvalidRequest(
            f"{CALLBACK}: only an asynchronous call has a callback, and this one waits for its answer",
            hint="also send Prefer: respond-async",
        )
    return name
