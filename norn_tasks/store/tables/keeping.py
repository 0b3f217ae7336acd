"""Norn's own housekeeping: tasks that run one at a time, and figures counted from events."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, PrimaryKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from norn_tasks.store.database.columns import NOW, Base


class ExclusiveTaskRow(Base):
    """A task that only one process runs at a time (retention, a backup): its last start, last end and result."""

    __tablename__ = "chores"
    name: Mapped[str] = mapped_column(primary_key=True)
    begun_at: Mapped[datetime] = mapped_column(server_default=NOW)
    done_at: Mapped[datetime | None]
    did: Mapped[dict[str, Any]] = mapped_column(server_default="{}")


class TallyRow(Base):
    """A figure that is counted from events: a count and, for durations, also their sum in seconds and the count in each
    bucket.
    """

    __tablename__ = "tallies"
    __table_args__ = (PrimaryKeyConstraint("name", "labels"),)
    name: Mapped[str]
    labels: Mapped[list[str]]
    count: Mapped[int] = mapped_column(server_default="0")
    sum: Mapped[float] = mapped_column(server_default="0")
    buckets: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default="{}")
