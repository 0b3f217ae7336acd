"""Models of maintenance."""

from __future__ import annotations

from pydantic import Field

from norn_api.schemas.common import LongText, RequestModel, Text
from norn_tasks.domain.tunnel.maintenance import MESSAGE_MAX, PAGE_MAX


class MaintenanceRequest(RequestModel):
    """The page for visitors of the app's public name."""

    message: Text = Field("", max_length=MESSAGE_MAX, examples=["We are back at 14:00."])
    """A sentence for Norn's own page."""
    page: LongText | None = Field(None, max_length=PAGE_MAX)
    """A page of your own, as HTML."""
