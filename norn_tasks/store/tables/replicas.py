"""What the docker cluster and the router remember."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from norn_tasks.store.columns import NOW, Base


class ReplicaRow(Base):
    """A container of the docker cluster: recorded before it starts, followed by the router."""

    __tablename__ = "replicas"
    container: Mapped[str] = mapped_column(primary_key=True)
    app: Mapped[str]
    release: Mapped[int]
    generation: Mapped[int]
    state: Mapped[str]
    address: Mapped[str] = mapped_column(server_default="")
    token: Mapped[int]
    drained_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Address(Base):
    """The loopback port that the router keeps for a webserver; `error` when it cannot listen there."""

    __tablename__ = "addresses"
    app: Mapped[str] = mapped_column(primary_key=True)
    port: Mapped[int]
    error: Mapped[str | None]
    listening_at: Mapped[datetime | None]
