"""Access: tokens, sign-in sessions, and the audit of every change."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from norn_tasks.store.database.columns import NOW, Base


class TokenRow(Base):
    """An API token, by its hash."""

    __tablename__ = "tokens"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    hash: Mapped[str]
    scopes: Mapped[list[str]]
    apps: Mapped[list[str] | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class SessionRow(Base):
    """A browser that is signed in with a token, by the hashes of its two secrets."""

    __tablename__ = "sessions"
    id: Mapped[int] = mapped_column(primary_key=True)
    token_id: Mapped[int]
    hash: Mapped[str]
    csrf_hash: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    agent: Mapped[str]
    address: Mapped[str]


class SignInCodeRow(Base):
    """A code, stored as a hash, with which one browser can sign in once."""

    __tablename__ = "sign_in_codes"
    hash: Mapped[str] = mapped_column(primary_key=True)
    token_id: Mapped[int]
    expires_at: Mapped[datetime]


class AuditRow(Base):
    """A change that an actor requested, accepted or refused."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=NOW)
    actor: Mapped[str]
    method: Mapped[str]
    path: Mapped[str]
    app: Mapped[str | None]
    status: Mapped[int]
    about: Mapped[str] = mapped_column(server_default="")


class TeamKeysRow(Base):
    """The keys with which Cloudflare Access signs the tokens of a team, as they were last fetched."""

    __tablename__ = "access_keys"
    issuer: Mapped[str] = mapped_column(primary_key=True)
    keys: Mapped[list[Any]]
    """Each key has the fields of `domain.tunnel.team_keys.TeamKey`."""
    seen_at: Mapped[datetime | None]
    """The moment at which the keys were last fetched; none if they never were."""
    error: Mapped[str]
    """Why the last fetch failed; empty if it did not."""
    asked_at: Mapped[datetime] = mapped_column(server_default=NOW)
