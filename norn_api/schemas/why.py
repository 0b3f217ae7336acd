"""Models of the explanation of an app's state: its failures, and what helps against them."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from norn_api.schemas.apps import JobSummary, LiveSummary, ReplicaResponse
from norn_api.schemas.common import MistakeResponse, ResponseModel


class ReturnedResponse(ResponseModel):
    """The deployment that returned the app to its live release."""

    deployment: int = Field(examples=[8])
    release: int = Field(examples=[3])
    state: str = Field(examples=["deployed"])


class ReasonResponse(ResponseModel):
    """One failure that was not followed by a success."""

    kind: str = Field(examples=["deploy"])
    """A job's kind, such as `deploy` or `forge`; an alert's kind, such as `down`; or `occurrence`, `run` or `call`."""
    state: str = Field(examples=["failed"])
    at: datetime | None
    code: str = Field(examples=["rollout_failed"])
    sentence: str = Field(examples=["the new container exited 1 after 0.4 s"])
    hint: str
    step: str | None = Field(examples=["await-rollout"])
    """The step at which the job failed."""
    last_lines: list[str]
    """The last lines of its output, which are kept after its container is gone."""
    job: int | None = Field(examples=[42])
    release: int | None
    deployment: int | None
    execution: int | None
    exit_code: int | None
    returned: ReturnedResponse | None
    """The return to the live release, which a failed rollout starts once."""


class WhyResponse(ResponseModel):
    """The explanation of an app's state."""

    name: str = Field(examples=["blog"])
    role: str | None = Field(examples=["webserver"])
    state: str = Field(examples=["running"])
    sentence: str = Field(examples=["blog is running: release 3 is live, 2 of 2 ready"])
    live: LiveSummary | None
    ready: int | None
    wanted: int | None
    message: str
    """The message of the last observation of its replicas."""
    replicas: list[ReplicaResponse]
    mistakes: list[MistakeResponse]
    running_job: JobSummary | None
    reasons: list[ReasonResponse]
    """The failures, latest first."""
    hint: str
    """The command that helps an app in this state; empty if nothing is wrong."""
