"""The objects that views (the functions that handle requests) use: one immutable bundle for each application, and
access to it from a view.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import cast

from flask import current_app, g

from norn_api.access.auth import Authenticator, AuthenticatorChain, BearerTokens, EveryoneIsAdmin
from norn_api.access.browsers import BrowserSessions
from norn_api.access.limits import Buckets
from norn_api.access.permissions import ANOTHER_APP
from norn_api.access.remembering import RecentlySeen
from norn_api.access.signatures import OF_SIGNATURES, PushSignatures
from norn_api.access.team_tokens import TeamTokens
from norn_api.metrics import ProcessMetrics
from norn_api.streaming.concurrency import ConcurrencyLimit, Share
from norn_api.streaming.hub import EventHub
from norn_api.streaming.log_feeds import LogFeeds
from norn_api.streaming.waiting import EndWaiter
from norn_tasks.dispatch import ApiKey, Intake
from norn_tasks.domain.access import Actor, Scope
from norn_tasks.domain.errors import Forbidden, NotFound
from norn_tasks.settings import Settings
from norn_tasks.store.apps.registry import LiveFunction
from norn_tasks.store.broker.live import Ends, Live
from norn_tasks.store.database.session import Database

_KEY = "norn"
BODIES = 4
"""How many large bodies one process writes, and how many large answers it reads, at the same time. Each takes several
times its size in memory, and a database connection until PostgreSQL has finished.
"""
CHECKS = 1
"""How many infraspecs and slow hashes one process works on at the same time, because each keeps a core busy."""
CHECK_SECONDS = 10.0
"""How many seconds the parsing of an infraspec, or a slow hash, waits for its turn."""
SIGN_INS, DELIVERIES = 16, 64
"""How many sign-ins, and how many webhook deliveries, one process reads at the same time before it knows their senders,
because each occupies a thread.
"""
UPLOADS = 4
"""How many uploads one process reads at the same time, because unpacking keeps a core busy."""

FUNCTION_SECONDS = 1.0
"""How many seconds a process remembers a function's live release, and accepts asynchronous calls without reading it
again.
"""

_BROWSERS = Share("sessions", 0.5, "the group of all signed-in browsers")


@dataclass(frozen=True)
class ApiServices:
    """The settings, the stores, and the in-memory state of the process. `closing` is set when the process must end."""

    settings: Settings
    intake: Intake
    authenticators: AuthenticatorChain
    signatures: AuthenticatorChain
    """Recognises the senders of webhook deliveries."""
    api_key: ApiKey
    tokens: BearerTokens
    functions: RecentlySeen[LiveFunction]
    """The live releases of functions that were called asynchronously within the last second, by app."""
    sessions: BrowserSessions
    ends_of_calls: EndWaiter
    waiting: ConcurrencyLimit
    bodies: ConcurrencyLimit
    answers: ConcurrencyLimit
    hub: EventHub
    feeds: LogFeeds
    streams: ConcurrencyLimit
    uploads: ConcurrencyLimit
    checks: ConcurrencyLimit
    sign_ins: ConcurrencyLimit
    deliveries: ConcurrencyLimit
    large_deliveries: ConcurrencyLimit
    open_bodies: ConcurrencyLimit
    closing: threading.Event
    ends: Ends
    figures: ProcessMetrics
    failures: Buckets
    """Limits how many failed attempts of each sender are written into the audit."""
    strangers: Buckets
    """Limits how often each address may call functions without a token."""

    def close(self) -> None:
        """Ends every stream and every waiting request, with their threads, within two seconds."""
        self.closing.set()
        self.ends.close()

    def forget_senders(self) -> None:
        """Forgets the remembered tokens and sessions, because one of them has ended."""
        self.tokens.forget()
        self.sessions.forget()

    @property
    def database(self) -> Database:
        """The database."""
        return self.intake.database

    @property
    def live(self) -> Live:
        """The part of the broker that carries live output, input and announcements."""
        return self.intake.live

    @staticmethod
    def of(intake: Intake, more: Sequence[Authenticator] = ()) -> ApiServices:
        """Creates the objects for a process that accepts work through `intake`; the authenticators in `more` are asked
        after Norn's own.
        """
        settings, database, closing = intake.settings, intake.database, threading.Event()
        ends, tokens, api_key = Ends(settings.broker_url), BearerTokens(database), ApiKey(settings.api_key_path)
        sessions, processes = BrowserSessions(database, settings.port), settings.api_workers
        team = [TeamTokens(database, settings)] if settings.access_team else []
        return ApiServices(
            settings,
            intake,
            AuthenticatorChain(
                [EveryoneIsAdmin()] if settings.auth == "off" else [tokens, sessions, *team, *more], processes=processes
            ),
            AuthenticatorChain([PushSignatures(database, api_key)], OF_SIGNATURES, processes=processes),
            api_key,
            tokens,
            RecentlySeen(FUNCTION_SECONDS, time.monotonic),
            sessions,
            EndWaiter(database, ends, closing),
            ConcurrencyLimit(settings.max_waiting, "calls that wait for their answer"),
            ConcurrencyLimit(BODIES, "large bodies of calls on their way to the database"),
            ConcurrencyLimit(BODIES, "large answers of calls on their way from the database"),
            EventHub(database, settings.database_listen_url, closing),
            LogFeeds(intake, closing),
            ConcurrencyLimit(settings.max_streams, "streams"),
            ConcurrencyLimit(UPLOADS, "uploads that are being read"),
            ConcurrencyLimit(CHECKS, "infraspecs or secrets in work"),
            ConcurrencyLimit(SIGN_INS, "sign-ins that are being read"),
            ConcurrencyLimit(DELIVERIES, "deliveries that are being read"),
            ConcurrencyLimit(BODIES, "large deliveries that are being read"),
            ConcurrencyLimit(DELIVERIES, "bodies of calls without a token that are being read"),
            closing,
            ends,
            ProcessMetrics(database, alone=processes == 1),
            Buckets(burst=20, per_second=1 / 3, processes=processes),
            Buckets(2 * settings.open_calls_per_second, settings.open_calls_per_second, processes=processes),
        )


def norn() -> ApiServices:
    """Returns the services of the application that handles this request."""
    return cast(ApiServices, current_app.extensions[_KEY])


def install(extensions: dict[str, object], services: ApiServices) -> None:
    """Stores the services where `norn()` finds them."""
    extensions[_KEY] = services


def actor() -> Actor:
    """Returns the sender of this request."""
    return cast(Actor, g.get("actor"))


def session() -> int | None:
    """Returns the id of the session with which this request was made; None for a request with a token."""
    return cast("int | None", g.get("session"))


def holder() -> str:
    """Returns the name under which this request counts against a limit; "" for an admin.

    A sender may use half of a `ConcurrencyLimit`, an admin all of it.
    """
    return "" if actor().may(Scope.ADMIN) else actor().name


def shares() -> tuple[Share, ...]:
    """Returns the shares that limit this request: those of its session and of all sessions, or that of its token.

    All browsers together may use half of a limit, and each session a tenth. The token of an admin is not limited.
    """
    if session() is not None:
        return (_BROWSERS, Share(f"session {session()}", 0.1, "your session"))
    return (Share(f"token {holder()}", 0.5, "your token"),) if holder() else ()


def turn() -> AbstractContextManager[None]:
    """Returns a context manager for a computation that keeps a core busy. Entering it waits until no other request is
    inside, and raises TooManyRequests after ten seconds.
    """
    return norn().checks.place(CHECK_SECONDS)


def hide_from_others(app: str, absent: NotFound) -> None:
    """Raises `absent` if the sender's token has no access to the app, as if the requested id did not exist.

    A job without an app belongs to the server, to which a token that is limited to apps has no access.
    """
    if not actor().reaches(app):
        raise absent


def require_visible(app: str) -> str:
    """Returns the app's name if the sender's token has access to it; raises Forbidden."""
    if not actor().reaches(app):
        raise Forbidden(f"your token does not reach {app}", hint=ANOTHER_APP)
    return app
