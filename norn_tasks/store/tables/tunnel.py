"""The public host names of apps, the apps in maintenance, and the findings about the tunnel."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from norn_tasks.store.database.columns import NOW, Base


class ExternalHostRow(Base):
    """A public host name of an app, with its tunnel rule and DNS record; both are written here before they are made."""

    __tablename__ = "external_hosts"
    host: Mapped[str] = mapped_column(primary_key=True)
    app: Mapped[str]
    service: Mapped[str | None]
    """The address to which the rule leads; none when no rule was decided."""
    ruled: Mapped[bool] = mapped_column(server_default="false")
    record: Mapped[str | None]
    """The DNS record: its id at Cloudflare, or the way in which it was made; none when no record was decided."""
    recorded: Mapped[bool] = mapped_column(server_default="false")
    leaving: Mapped[bool] = mapped_column(server_default="false")
    """True if the app no longer has this name, so that its rule and record must be removed."""
    state: Mapped[str] = mapped_column(server_default="not routed")
    """`routed`, `not routed` or `drifted`, at the last observation."""
    reason: Mapped[str] = mapped_column(server_default="")
    seen_at: Mapped[datetime | None]
    issuer: Mapped[str] = mapped_column(server_default="")
    """The issuer of its certificate at the edge."""
    valid_from: Mapped[datetime | None]
    valid_until: Mapped[datetime | None]
    """The end of that certificate; none without a certificate."""


class MaintenanceRow(Base):
    """An app whose public name shows a page instead of the app."""

    __tablename__ = "maintenances"
    app: Mapped[str] = mapped_column(primary_key=True)
    message: Mapped[str]
    """The sentence for its visitors; empty if there is none."""
    page: Mapped[str]
    """The page, as HTML."""
    began_by: Mapped[str]
    began_at: Mapped[datetime] = mapped_column(server_default=NOW)


class TunnelCheckRow(Base):
    """A finding of the last observation about the tunnel itself, for example about its token."""

    __tablename__ = "tunnel_checks"
    name: Mapped[str] = mapped_column(primary_key=True)
    good: Mapped[bool]
    sentence: Mapped[str]
    hint: Mapped[str]
    seen_at: Mapped[datetime] = mapped_column(server_default=NOW)
