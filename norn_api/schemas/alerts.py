"""Models of alerts, of the destinations of notifications, and of deliveries."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, field_validator

from norn_api.schemas.common import InPath, ListQuery, RequestModel, ResponseModel, Text
from norn_tasks.domain.alerting.alert import AlertKind, Severity
from norn_tasks.domain.alerting.destination import NotificationFormat, shown_url


class AlertSummary(ResponseModel):
    """A condition of an app or of the server that needs attention."""

    id: int = Field(examples=[42])
    kind: str = Field(examples=["runs-failing"])
    """For webservers and workers `crash-looping`, `out-of-memory`, `unhealthy`, `down`, `drifted` or `layer-large`; for
    webservers also `certificate-ends`; for cron apps `runs-failing`, `runs-missed`, `paused-long`, `image-gone` or
    `schedule-unreadable`; for any app `deploy-failed`, `backup-failed` or `drill-failed`; for the server `disk-full`
    or `scheduler-away`."""
    severity: str = Field(examples=["warning"])
    """`critical` or `warning`."""
    sentence: str = Field(examples=["run 31 of daily-report failed: it exited 3"])
    hint: str = Field(examples=["norn cron logs daily-report 31"])
    raised_at: datetime


class AlertResponse(AlertSummary):
    """An alert; it is open while `resolved_at` is null."""

    app: str = Field(examples=["daily-report"])
    """Empty for an alert of the server."""
    resolved_at: datetime | None
    resolution: str | None = Field(examples=["run 32 succeeded"])


class AlertsQuery(ListQuery):
    """The filter of a list of alerts."""

    app: Text | None = None
    kind: AlertKind | None = None
    all: bool = False
    """Also list resolved alerts."""


class DestinationPath(InPath):
    """A destination in a path."""

    name: Text = Field(examples=["ops"], max_length=63)
    """Name of the destination."""


class DestinationRequest(RequestModel):
    """A new destination of notifications, and its filter."""

    name: Text = Field(pattern="^[a-z0-9][a-z0-9._-]{0,62}$", examples=["ops"])
    url: Text = Field(max_length=2048, examples=["https://hooks.example/norn"])
    """https, or `mailto:` with mail addresses; where NORN_OUTGOING_PRIVATE allows private addresses, also http."""
    format: Annotated[NotificationFormat, Field(strict=False)] | None = Field(None, examples=["json"])
    """`json`, `ntfy`, `slack`, `discord` or `mail`; the default follows from the address."""
    apps: list[Text] | None = Field(None, min_length=1, max_length=200, examples=[["daily-report"]])
    """Only alerts of these apps; the default is every app."""
    kinds: list[Annotated[AlertKind, Field(strict=False)]] | None = Field(
        None, min_length=1, max_length=len(AlertKind), examples=[["runs-failing"]]
    )
    """Only alerts of these kinds; the default is all."""
    severity: Annotated[Severity, Field(strict=False)] = Field(Severity.WARNING, examples=["critical"])
    """`critical`: only critical alerts; `warning`: all alerts. The default is `warning`."""


class DestinationResponse(ResponseModel):
    """A destination without its secret. Only the host of a web address is shown: the rest is often secret too."""

    name: str = Field(examples=["ops"])
    url: str = Field(examples=["https://hooks.example/…"])
    format: str = Field(examples=["json"])
    apps: list[str] | None
    kinds: list[str] | None
    severity: str = Field(examples=["warning"])
    """The destination gets alerts of this severity or a higher one."""
    created_by: str
    created_at: datetime

    @field_validator("url")
    @classmethod
    def _host_only(cls, url: str) -> str:
        return shown_url(url)


class DestinationMade(DestinationResponse):
    """A new destination with its signing secret, which is shown only once.

    The secret is null if the Idempotency-Key was repeated, and for every format except `json`.
    """

    secret: str | None = Field(examples=["whsec_…"])


class DeliveryResponse(ResponseModel):
    """One notification for one destination."""

    id: int = Field(examples=[42])
    event: str = Field(examples=["alert.raised"])
    app: str | None
    state: str = Field(examples=["delivered"])
    """`waiting`, `delivered` or `given-up`."""
    attempts: int
    outcome: str = Field(examples=["it answered 204"])
    """The result of the last attempt."""
    created_at: datetime
    next_at: datetime | None
    """The time of the next attempt."""
    ended_at: datetime | None
