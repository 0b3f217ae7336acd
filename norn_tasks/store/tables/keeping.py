"""What Norn remembers of its own housekeeping."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, PrimaryKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from norn_tasks.store.columns import NOW, Base


class Chore(Base):
    """A chore of the house (retention, a backup): when it was begun and done last, and what came of it."""

    __tablename__ = "chores"
    name: Mapped[str] = mapped_column(primary_key=True)
    begun_at: Mapped[datetime] = mapped_column(server_default=NOW)
    done_at: Mapped[datetime | None]
    did: Mapped[dict[str, Any]] = mapped_column(server_default="{}")


class TallyRow(Base):
    """A figure counted from events: how many, and for times their sum (seconds) and how many fell into each bucket."""

    __tablename__ = "tallies"
    __table_args__ = (PrimaryKeyConstraint("name", "labels"),)
    name: Mapped[str]
    labels: Mapped[list[str]]
    count: Mapped[int] = mapped_column(server_default="0")
    sum: Mapped[float] = mapped_column(server_default="0")
    buckets: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default="{}")
