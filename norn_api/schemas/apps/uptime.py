"""Models of the states that an app was in."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from norn_api.schemas.common import ResponseModel


class StateSpanResponse(ResponseModel):
    """A period in which an app was in one state."""

    state: str = Field(examples=["down"])
    """`running`, `degraded` (some replicas serve), `down` or `stopped`."""
    reason: str
    began_at: datetime
    ended_at: datetime | None
    """Null if the app is still in this state."""


class StateSpanListed(StateSpanResponse):
    """A period in which an app was in one state, with its id in a list."""

    id: int = Field(examples=[42])


class UptimeResponse(ResponseModel):
    """How much of the time a webserver or worker served."""

    day: float | None = Field(examples=[99.31])
    """Percentage of the last 24 hours in which at least one replica served; null without an observation."""
    week: float | None
    changes: list[StateSpanResponse]
    """The last ten changes of its state, newest first."""
