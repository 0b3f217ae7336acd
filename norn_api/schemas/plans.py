"""Models of plans (the changes that Norn would make) and of drift (the changes that somebody else has made)."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from norn_api.schemas.common import ResponseModel
from norn_tasks.domain.comparing.changes import Part, Verb


class PlannedChange(ResponseModel):
    """One field of the live release that gets another value; null means that the field is not set."""

    field: str = Field(examples=["env.COLOUR"])
    part: Part = Field(examples=["workload"])
    before: str | None = Field(examples=["blue"])
    after: str | None = Field(examples=["green"])
    by: Verb = Field(examples=["forge"])
    """The command that puts the change into effect."""


class PlannedCreation(ResponseModel):
    """A part that a forge makes because the app is not forged."""

    part: Part = Field(examples=["schedule"])
    what: str = Field(examples=["schedule 0 2 * * * (UTC)"])


class BlockerResponse(ResponseModel):
    """A reason why a forge or a deploy would be refused or fail."""

    sentence: str = Field(examples=["the secret API_KEY is not set"])
    hint: str = Field(examples=["norn secrets set blog API_KEY"])


class PlanResponse(ResponseModel):
    """The changes that a forge and a deploy of an app would make; nothing was changed."""

    name: str = Field(examples=["blog"])
    changed: bool
    """Whether anything would change."""
    makes_release: bool
    """Whether a forge makes a release of the live image and rolls it out."""
    live_release: int | None = Field(examples=[3])
    creates: list[PlannedCreation]
    changes: list[PlannedChange]
    blockers: list[BlockerResponse]


class FieldDrift(ResponseModel):
    """One field whose value is not the one that Norn set; null means that there is no value."""

    thing: str = Field(examples=["Deployment blog"])
    field: str = Field(examples=["spec.replicas"])
    """The path of the field; empty if the object itself is missing."""
    wanted: str | None = Field(examples=["2"])
    found: str | None = Field(examples=["5"])


class DriftResponse(ResponseModel):
    """The last comparison of a running app with its live release."""

    name: str = Field(examples=["blog"])
    seen_at: datetime | None
    """The moment of the comparison; null if there was none since the release went live."""
    drifted: bool
    """Whether anything differs."""
    found: list[FieldDrift]
