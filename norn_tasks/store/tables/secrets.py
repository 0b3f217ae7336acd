"""The secrets of apps."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import PrimaryKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from norn_tasks.store.database.columns import NOW, Base


class SecretRow(Base):
    """A version of a secret, sealed to the server's key; retired when it was replaced or unset."""

    __tablename__ = "secrets"
    __table_args__ = (PrimaryKeyConstraint("app", "name", "version"),)
    app: Mapped[str]
    name: Mapped[str]
    sealed: Mapped[bytes]
    version: Mapped[int]
    set_by: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=NOW)
    retired_at: Mapped[datetime | None]
