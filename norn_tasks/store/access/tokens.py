"""API tokens, which are shown once when they are created and stored as hashes, and the bootstrap token for the first
user.

A token is 256 random bits, so one SHA-256 is enough: a slow hash protects only secrets that can be guessed.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, insert, or_, select, text, update

from norn_tasks.domain.access import NAMELESS, Actor, Scope
from norn_tasks.domain.errors import Conflict, InvalidRequest, NotFound
from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.store import tables as t
from norn_tasks.store.database.pages import AnyRow, AnySelect, value
from norn_tasks.store.database.session import Database, Tx
from norn_tasks.store.events.publishing import publish

BOOTSTRAP = "bootstrap"
_PREFIX = "norn_"


@dataclass(frozen=True)
class Token:
    """A token as lists show it: everything but the token itself."""

    id: int
    name: str
    scopes: tuple[str, ...]
    apps: tuple[str, ...] | None
    created_by: str
    created_at: datetime
    last_used_at: datetime | None


def fresh() -> str:
    """Returns a new secret token."""
    return _PREFIX + secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """Returns the hash that the table stores for a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _tokens() -> AnySelect:
    k = t.TokenRow
    columns = (k.id, k.name, k.scopes, k.apps, k.created_by, k.created_at, k.last_used_at)
    return select(*columns).where(k.revoked_at.is_(None))


def _token(row: AnyRow) -> Token:
    return value(Token, row)


def listed(tx: Tx) -> tuple[Token, ...]:
    """Lists the tokens that are not revoked."""
    return tuple(_token(row) for row in tx.execute(_tokens().order_by(t.TokenRow.id)))


def named(tx: Tx, name: str) -> Token | None:
    """Returns the unrevoked token with this name; None if there is none."""
    row = tx.execute(_tokens().where(t.TokenRow.name == name)).first()
    return None if row is None else _token(row)


def _used(tx: Tx, name: str) -> bool:
    """Returns True if a token has or had this name. Names are not used again, because the jobs, calls and keys of a
    token are found by its name.
    """
    return tx.scalar(select(t.TokenRow.id).where(t.TokenRow.name == name).limit(1)) is not None


def create(
    tx: Tx, secret: str, *, name: str, scopes: tuple[Scope, ...], apps: tuple[str, ...] | None, actor: str
) -> Token:
    """Stores a new token. Raises Conflict if a token has or had this name, or if the name is reserved.

    Raises InvalidRequest for a token without scopes, and for an admin token that is limited to apps.
    """
    tx.execute(text("SELECT pg_advisory_xact_lock(hashtext('norn-tokens'))"))
    if name == NAMELESS:
        raise Conflict(f"{name} is the name of callers without a token", hint="choose another name")
    if name == BOOTSTRAP or named(tx, name) is not None:
        raise Conflict(f"there is a token named {name}", hint="choose another name")
    if _used(tx, name):
        sentence = f"a token named {name} was revoked, and its jobs and calls would belong to the new one"
        raise Conflict(sentence, hint=f"choose another name, such as {name}-2")
    if not scopes:
        raise InvalidRequest("scopes: a token needs at least one", hint=f"choose from {', '.join(Scope)}")
    if Scope.ADMIN in scopes and apps is not None:
        raise InvalidRequest(
            "apps: the scope admin is for the whole server, and cannot be limited to apps",
            hint="leave apps out, or give it the scope deploy, which allows everything about its apps",
        )
    row = _insert(tx, secret, name=name, scopes=scopes, apps=apps, actor=actor)
    publish(tx, EventKind.TOKEN_CREATED, name=name, scopes=[str(scope) for scope in scopes], actor=actor)
    return row


def _insert(
    tx: Tx, secret: str, *, name: str, scopes: tuple[Scope, ...], apps: tuple[str, ...] | None, actor: str
) -> Token:
    k = t.TokenRow
    columns = (k.id, k.name, k.scopes, k.apps, k.created_by, k.created_at, k.last_used_at)
    kept = {
        "name": name,
        "hash": digest(secret),
        "scopes": [str(scope) for scope in scopes],
        "apps": None if apps is None else list(apps),
        "created_by": actor,
    }
    return _token(tx.execute(insert(k).values(kept).returning(*columns)).one())


def revoke(tx: Tx, token: int, *, actor: str) -> None:
    """Ends a token for good; raises NotFound."""
    k = t.TokenRow
    ended = update(k).where(k.id == token, k.revoked_at.is_(None)).values(revoked_at=func.clock_timestamp())
    name = tx.execute(ended.returning(k.name)).scalar()
    if name is None:
        raise NotFound(f"there is no token {token}", hint="norn token list")
    publish(tx, EventKind.TOKEN_REVOKED, name=name, actor=actor)


def lookup(tx: Tx, hashed: str) -> Actor | None:
    """Returns the actor of a token's hash; None if the token is unknown or revoked. Records at most once a minute that
    the token was used.
    """
    k = t.TokenRow
    row = tx.execute(select(k.id, k.name, k.scopes, k.apps).where(k.hash == hashed, k.revoked_at.is_(None))).first()
    if row is None:
        return None
    a_minute_ago = func.clock_timestamp() - text("interval '1 minute'")
    stale = or_(k.last_used_at.is_(None), k.last_used_at < a_minute_ago)
    tx.execute(update(k).where(k.id == row.id, stale).values(last_used_at=func.clock_timestamp()))
    scopes = frozenset(Scope(scope) for scope in row.scopes)
    return Actor(row.name, scopes, None if row.apps is None else frozenset(row.apps))


# The bootstrap token


def ensure_bootstrap(database: Database, path: Path) -> bool:
    """Registers the admin token in the file `path` (mode 0600); returns False if it was registered before.

    Writes the file if there is none. An existing file keeps its token, and a revoked token stays revoked. Raises
    InvalidRequest if the file holds no token.
    """
    secret = _read_or_write(path)
    with database.transaction() as tx:
        tx.execute(text("SELECT pg_advisory_xact_lock(hashtext('norn-tokens'))"))
        if tx.execute(select(t.TokenRow.id).where(t.TokenRow.hash == digest(secret))).first() is not None:
            return False
        _insert(tx, secret, name=BOOTSTRAP, scopes=(Scope.ADMIN,), apps=None, actor="norn")
    return True


def _read_or_write(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _write(path, fresh())
    path.chmod(0o600)
    secret = path.read_text(encoding="utf-8").strip()
    if not secret.startswith(_PREFIX) or len(secret) < len(fresh()):
        raise InvalidRequest(f"{path} holds no token", hint="remove the file: a new token is made at the next start")
    return secret


def _write(path: Path, secret: str) -> None:
    """Writes the file atomically, by a rename; does nothing if another process has written the file in the meantime."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".token-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(secret + "\n")
            file.flush()
            os.fsync(file.fileno())
        if not path.exists():
            Path(draft).rename(path)
    finally:
        Path(draft).unlink(missing_ok=True)
