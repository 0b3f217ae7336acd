"""The processes that do the work: workers and schedulers, and the engines that workers use."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from norn_tasks.store.database.columns import NOW, Base


class WorkerRow(Base):
    """A worker process of one class, as it last reported itself."""

    __tablename__ = "workers"
    name: Mapped[str] = mapped_column(primary_key=True)
    class_: Mapped[str] = mapped_column("class")
    host: Mapped[str]
    pid: Mapped[int]
    process: Mapped[str] = mapped_column(server_default="")
    """A name of the process that is unique across machines and containers: while this process reports, no other process
    may take the worker's name.
    """
    engine: Mapped[str | None]
    engine_error: Mapped[str | None]
    slots: Mapped[int]
    busy: Mapped[int] = mapped_column(server_default="0")
    last_claim_at: Mapped[datetime | None]
    started_at: Mapped[datetime] = mapped_column(server_default=NOW)
    seen_at: Mapped[datetime] = mapped_column(server_default=NOW)
    draining_at: Mapped[datetime | None]
    clusters: Mapped[list[str]] = mapped_column(server_default="{}")
    """The names of the clusters that it has."""
    clusters_apart: Mapped[list[str]] = mapped_column(server_default="{}")
    """The names of its clusters in which replicas use no memory of an engine (Kubernetes)."""
    spaces: Mapped[list[Any]] = mapped_column(server_default="[]")
    """The free space on its disks."""
    capabilities: Mapped[list[str]] = mapped_column(server_default="{}")
    """The capabilities that it has now; it takes only jobs whose `requires` names no others."""
    engines: Mapped[list[str]] = mapped_column(server_default="{}")
    """The ids of all engines on which it runs containers, including engines that do not answer at the moment."""
    clock_offset: Mapped[float] = mapped_column(server_default="0")
    """How many seconds its machine's clock is ahead of the database's."""


class EngineRow(Base):
    """A container engine that workers report: the bytes of memory for apps, and how many of them a build takes."""

    __tablename__ = "engines"
    id: Mapped[str] = mapped_column(primary_key=True)
    memory: Mapped[int]
    building: Mapped[int]
    seen_at: Mapped[datetime] = mapped_column(server_default=NOW)
    runs_address: Mapped[str | None]
    """The address at which runs reach the engine's machine, with the length of its prefix."""
    host_reached: Mapped[bool | None]
    """Whether connections of runs reach a program that listens there; None: this was not tested."""
    metadata_reached: Mapped[bool | None]
    """Whether runs can connect to the metadata address of a cloud provider; None: this was not tested."""
    io_uring: Mapped[bool | None]
    """Whether runs may use io_uring; None: this was not tested."""
    vsock: Mapped[bool | None]
    """Whether runs may use AF_VSOCK; None: this was not tested."""
    runc: Mapped[str | None]
    """The version of runc on the engine; none: it is not known."""


class BeatRow(Base):
    """A scheduler process, and how many seconds late its last tick was."""

    __tablename__ = "beats"
    name: Mapped[str] = mapped_column(primary_key=True)
    started_at: Mapped[datetime] = mapped_column(server_default=NOW)
    seen_at: Mapped[datetime] = mapped_column(server_default=NOW)
    lag_seconds: Mapped[float] = mapped_column(server_default="0")
