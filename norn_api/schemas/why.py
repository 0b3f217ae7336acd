"""Shapes of why: what went wrong, and what helps."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from norn_api.schemas.apps import JobTold, LiveTold, ReplicaAnswer
from norn_api.schemas.common import Answered, MistakeAnswer


class ReturnedAnswer(Answered):
    """The deployment by which the app went back to what was live."""

    deployment: int = Field(examples=[8])
    release: int = Field(examples=[3])
    state: str = Field(examples=["deployed"])


class ReasonAnswer(Answered):
    """One thing that went wrong, and was not made good since."""

    kind: str = Field(examples=["deploy"])
    """A job's kind, such as `deploy`, `forge` or `repair`; else `occurrence`, `run` or `call`."""
    state: str = Field(examples=["failed"])
    at: datetime | None
    code: str = Field(examples=["rollout_failed"])
    sentence: str = Field(examples=["the new container exited 1 after 0.4 s"])
    hint: str
    step: str | None = Field(examples=["await-rollout"])
    """Where in the job."""
    last_lines: list[str]
    """What it wrote last; kept after its container is gone."""
    job: int | None = Field(examples=[42])
    release: int | None
    deployment: int | None
    execution: int | None
    exit_code: int | None
    returned: ReturnedAnswer | None
    """The return to what was live, which a failed rollout asks for once."""


class WhyAnswer(Answered):
    """Why an app is as it is."""

    name: str = Field(examples=["blog"])
    role: str | None = Field(examples=["webserver"])
    state: str = Field(examples=["running"])
    sentence: str = Field(examples=["blog is running: release 3 is live, 2 of 2 ready"])
    live: LiveTold | None
    ready: int | None
    wanted: int | None
    message: str
    """What the last look at its replicas had to say."""
    replicas: list[ReplicaAnswer]
    mistakes: list[MistakeAnswer]
    running_job: JobTold | None
    reasons: list[ReasonAnswer]
    """What went wrong, the latest first."""
    hint: str
    """What the state itself asks for; empty when nothing is missing."""
