"""Calls without a token, of functions whose live release has `function.auth: none`.

Their senders are strangers, so three things are limited: the calls per second from one address, the number of bodies
that are read at the same time, and the time for each body. An Idempotency-Key is refused, because nobody knows whose
key it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import request

from norn_api.access.auth import Identity
from norn_api.services import actor, norn
from norn_api.streaming.connections import Connection, TooSlow
from norn_api.web.request import current
from norn_api.web.senders import credentials
from norn_tasks.domain.access import NAMELESS, Actor, Scope
from norn_tasks.domain.errors import BadRequest, Forbidden, TooManyRequests
from norn_tasks.domain.infraspec.words import Auth
from norn_tasks.store.apps import registry

STRANGER = Actor(NAMELESS, frozenset({Scope.INVOKE}))
"""The sender of a call without a token."""
BODY_SECONDS = 30.0
"""The longest time that reading the body of a stranger may take."""


def caller(app: str) -> Identity:
    """Returns the sender of a call: the owner of its token, or a stranger if the function is open to everybody.

    Raises Unauthenticated, or TooManyRequests.
    """
    found = norn().authenticators.recognised(credentials())
    if found is not None and found.actor.may(Scope.INVOKE) and found.actor.reaches(app):
        return found
    _slow_down(request.remote_addr or "")
    if _is_open(app):
        return Identity(STRANGER)
    return found or norn().authenticators.identify(credentials())


def _is_open(app: str) -> bool:
    with norn().database.transaction() as tx:
        found = registry.live_function(tx, app)
    return found is not None and found.options.auth is Auth.NONE


def _slow_down(address: str) -> None:
    """Raises TooManyRequests for an address that sends more requests without a token than the settings allow."""
    wait = norn().strangers.take(address)
    if wait:
        most = norn().settings.open_calls_per_second
        hint = "send a token, or raise NORN_OPEN_CALLS_PER_SECOND on the server, also for callers behind one proxy"
        raise TooManyRequests(f"your address may call {most} times a second without a token", hint=hint,
                              retry_after=wait)  # fmt: skip


@contextmanager
def body_in_time(seconds: float = BODY_SECONDS) -> Iterator[None]:
    """Limits how many bodies of strangers are read in such blocks at the same time, and the time for each body.

    The bodies of other senders are not limited here.

    Raises TooManyRequests or BadRequest.
    """
    if actor() is not STRANGER or not current().has_body:
        yield
        return
    with norn().open_bodies.place():
        try:
            with Connection(request.environ).within(seconds):
                yield
        except TooSlow as error:
            raise BadRequest(
                f"the body took over {seconds:g} s to arrive", hint="send it again on a quicker connection"
            ) from error


def refuse_key() -> None:
    """Raises Forbidden for an Idempotency-Key of a stranger, who could read another stranger's answer with it."""
    if actor() is STRANGER and "Idempotency-Key" in request.headers:
        raise Forbidden(
            "an Idempotency-Key needs a token: without one, nobody knows whose key it is",
            hint="send a token of scope invoke, or leave the header out",
        )


def refuse_callback(header: str) -> None:
    """Raises Forbidden for a stranger who names a destination of callbacks."""
    if actor() is STRANGER:
        raise Forbidden(f"{header} needs a token", hint="send a token of scope invoke, or leave the header out")
