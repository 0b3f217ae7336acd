"""Shapes of alerts, of the destinations that are told of them, and of what was sent there."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, field_validator

from norn_api.schemas.common import Answered, Asked, InPath, ListQuery, Text
from norn_tasks.domain.alert import AlertKind
from norn_tasks.domain.notification import shown_url


class AlertTold(Answered):
    """What is wrong with an app that somebody should know of."""

    id: int = Field(examples=[42])
    kind: str = Field(examples=["runs-failing"])
    """`runs-failing`, `runs-missed`, `paused-long`, `image-gone`, `schedule-unreadable`."""
    sentence: str = Field(examples=["run 31 of daily-report failed: it exited 3"])
    hint: str = Field(examples=["norn cron logs daily-report 31"])
    raised_at: datetime


class AlertAnswer(AlertTold):
    """An alert, open while `resolved_at` is null."""

    app: str = Field(examples=["daily-report"])
    resolved_at: datetime | None
    resolution: str | None = Field(examples=["run 32 succeeded"])


class AlertsQuery(ListQuery):
    """Which alerts."""

    app: Text | None = None
    kind: AlertKind | None = None
    all: bool = False
    """Also those that are resolved."""


class DestinationPath(InPath):
    """A destination in a path."""

    name: Text = Field(examples=["ops"], max_length=63)
    """Name of the destination."""


class DestinationAsked(Asked):
    """Where notifications go, and which."""

    name: Text = Field(pattern="^[a-z0-9][a-z0-9._-]{0,62}$", examples=["ops"])
    url: Text = Field(max_length=2048, examples=["https://hooks.example/norn"])
    """https; where NORN_OUTGOING_PRIVATE allows private addresses, also http."""
    apps: list[Text] | None = Field(None, min_length=1, max_length=200, examples=[["daily-report"]])
    """Only of these apps; of every app when left out."""
    kinds: list[Annotated[AlertKind, Field(strict=False)]] | None = Field(
        None, min_length=1, max_length=len(AlertKind), examples=[["runs-failing"]]
    )
    """Only alerts of these kinds; all when left out."""


class DestinationAnswer(Answered):
    """A destination without its secret. Of its address only the host is shown: what follows is often a secret too."""

    name: str = Field(examples=["ops"])
    url: str = Field(examples=["https://hooks.example/…"])
    apps: list[str] | None
    kinds: list[str] | None
    created_by: str
    created_at: datetime

    @field_validator("url")
    @classmethod
    def _host_only(cls, url: str) -> str:
        return shown_url(url)


class DestinationMade(DestinationAnswer):
    """A new destination with the secret that signs, which is shown this once (null when a key came again)."""

    secret: str | None = Field(examples=["whsec_…"])


class DeliveryAnswer(Answered):
    """Something that a destination was to be told."""

    id: int = Field(examples=[42])
    event: str = Field(examples=["alert.raised"])
    app: str | None
    state: str = Field(examples=["delivered"])
    """`waiting`, `delivered`, `given-up`."""
    attempts: int
    told: str = Field(examples=["it answered 204"])
    """What the last try came to."""
    created_at: datetime
    next_at: datetime | None
    """When it is tried again."""
    ended_at: datetime | None
