"""Sign-in sessions of browsers, and the one-time codes with which `norn ui` signs a browser in.

A session has two secrets, of which only hashes are stored: the browser sends one of them as a cookie, and Norn's own
pages send the other as a header. A session has the rights of its token, and ends when the token is revoked.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, text, update

from norn_tasks.domain.access import Actor, Scope
from norn_tasks.domain.errors import NotFound
from norn_tasks.store import tables as t
from norn_tasks.store.access.tokens import digest
from norn_tasks.store.database.pages import value
from norn_tasks.store.database.session import Tx

CODE_SECONDS = 60.0
"""How long a code can be used."""


@dataclass(frozen=True)
class SessionSecrets:
    """The two secrets of a session, which are known only to its browser."""

    cookie: str
    csrf: str

    @staticmethod
    def fresh() -> SessionSecrets:
        """Returns new secrets."""
        return SessionSecrets(secrets.token_urlsafe(32), secrets.token_urlsafe(32))


@dataclass(frozen=True)
class Browser:
    """The browser that signs in: the name that it sends as its user agent, and its address."""

    agent: str
    address: str


@dataclass(frozen=True)
class SignedIn:
    """A valid session: its actor, and the hash of its second secret."""

    id: int
    actor: Actor
    csrf_hash: str
    expires_at: datetime


@dataclass(frozen=True)
class SessionView:
    """A session as lists show it; `token` is the name of its token."""

    id: int
    token: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    agent: str
    address: str


def _is_good() -> tuple[ColumnElement[bool], ...]:
    s, k = t.SessionRow, t.TokenRow
    return (k.id == s.token_id, k.revoked_at.is_(None), s.expires_at > func.clock_timestamp())


def _in(seconds: float) -> Any:
    return func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)


# Signing in


def begin(tx: Tx, token: str, made: SessionSecrets, browser: Browser, *, seconds: float) -> SignedIn | None:
    """Signs a browser in with a token; None if the token is unknown or revoked."""
    k = t.TokenRow
    found = tx.scalar(select(k.id).where(k.hash == digest(token), k.revoked_at.is_(None)))
    return None if found is None else _begin(tx, found, made, browser, seconds)


def begin_by_code(tx: Tx, code: str, made: SessionSecrets, browser: Browser, *, seconds: float) -> SignedIn | None:
    """Signs a browser in with a code, which can be used only once; None if the code is unknown, used or too old."""
    c = t.SignInCodeRow
    used = delete(c).where(c.hash == digest(code), c.expires_at > func.clock_timestamp()).returning(c.token_id)
    found = tx.scalar(used)
    return None if found is None else _begin(tx, found, made, browser, seconds)


def _begin(tx: Tx, token_id: int, made: SessionSecrets, browser: Browser, seconds: float) -> SignedIn | None:
    s = t.SessionRow
    tx.execute(delete(s).where(s.expires_at < func.clock_timestamp()))
    row = {
        "token_id": token_id, "hash": digest(made.cookie), "csrf_hash": digest(made.csrf), "expires_at": _in(seconds),
        "agent": browser.agent, "address": browser.address,
    }  # fmt: skip
    tx.execute(insert(s).values(row))
    return lookup(tx, digest(made.cookie))


def make_code(tx: Tx, code: str, token: str) -> None:
    """Stores a code that signs a browser in with the token of this name; raises NotFound for a name without a token."""
    c, k = t.SignInCodeRow, t.TokenRow
    found = tx.scalar(select(k.id).where(k.name == token, k.revoked_at.is_(None)))
    if found is None:
        raise NotFound(f"there is no token named {token}", hint="norn token list")
    tx.execute(delete(c).where(c.expires_at < func.clock_timestamp()))
    tx.execute(insert(c).values(hash=digest(code), token_id=found, expires_at=_in(CODE_SECONDS)))


# Being signed in


def lookup(tx: Tx, hashed: str) -> SignedIn | None:
    """Returns the session of a cookie's hash; None if it is unknown, too old, or its token was revoked.

    Records at most once a minute that the session and its token were used.
    """
    s, k = t.SessionRow, t.TokenRow
    columns = (s.id, s.csrf_hash, s.expires_at, k.id.label("token_id"), k.name, k.scopes, k.apps)
    row = tx.execute(select(*columns).where(s.hash == hashed, *_is_good())).first()
    if row is None:
        return None
    a_minute_ago = func.clock_timestamp() - text("interval '1 minute'")
    for table, number in ((s, row.id), (k, row.token_id)):
        stale = or_(table.last_used_at.is_(None), table.last_used_at < a_minute_ago)
        tx.execute(update(table).where(table.id == number, stale).values(last_used_at=func.clock_timestamp()))
    scopes = frozenset(Scope(scope) for scope in row.scopes)
    actor = Actor(row.name, scopes, None if row.apps is None else frozenset(row.apps))
    return SignedIn(row.id, actor, row.csrf_hash, row.expires_at)


def listed(tx: Tx, *, token: str | None = None) -> tuple[SessionView, ...]:
    """Lists the sessions that are valid now, newest first; `token`: only sessions of the token with this name."""
    s, k = t.SessionRow, t.TokenRow
    columns = (s.id, k.name.label("token"), s.created_at, s.expires_at, s.last_used_at, s.agent, s.address)
    query = select(*columns).where(*_is_good(), *([] if token is None else [k.name == token]))
    return tuple(value(SessionView, row) for row in tx.execute(query.order_by(s.id.desc())))


def end(tx: Tx, session: int, *, token: str | None = None) -> None:
    """Ends a session for good; `token`: only if it belongs to the token with this name. Raises NotFound."""
    s, k = t.SessionRow, t.TokenRow
    whose = [] if token is None else [s.token_id.in_(select(k.id).where(k.name == token))]
    if tx.scalar(delete(s).where(s.id == session, *whose).returning(s.id)) is None:
        raise NotFound(f"there is no session {session}", hint="norn session list")
