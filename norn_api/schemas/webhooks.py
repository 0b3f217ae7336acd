"""Models of the webhooks of repositories and their deliveries."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from norn_api.schemas.common import Id, InPath, InQuery, RequestModel, ResponseModel, Text


class WebhookPath(InPath):
    """A webhook's id in a path."""

    webhook: Id
    """Id of the webhook."""


class PushQuery(InQuery):
    """The webhook that the address of a delivery names."""

    hook: Text = Field(max_length=20, examples=["3"])
    """Id of the webhook."""


class WebhookRequest(RequestModel):
    """The repository of a new webhook."""

    url: Text = Field(max_length=2048, examples=["https://git.example/ada/blog.git"])
    """Its https or ssh address, as an infraspec has it in `repo.url`."""


class WebhookResponse(ResponseModel):
    """A webhook of a repository, without its secret."""

    id: int = Field(examples=[3])
    repository: str = Field(examples=["git.example/ada/blog"])
    """Host and path. A push to this repository deploys each app that names it in `repo.url`, names the pushed branch in
    `repo.branch`, and has `repo.autoDeploy`.
    """
    url: str = Field(examples=["https://git.example/ada/blog.git"])
    """The address that it was made with."""
    created_by: str
    created_at: datetime
    rotated_at: datetime | None
    """The time at which its secret was last replaced; null if it never was."""
    last_at: datetime | None
    """The time of its last signed delivery."""


class WebhookMade(WebhookResponse):
    """A webhook with its address, and its secret, which is shown only once."""

    address: str = Field(examples=["https://norn.example/api/webhooks/push?hook=3"])
    """The address to enter at GitHub, Gitea or GitLab."""
    secret: str | None = Field(examples=["whsec_…"])
    """Null if the Idempotency-Key was repeated."""


class PushResultResponse(ResponseModel):
    """The result of a delivery for one app."""

    app: str = Field(examples=["blog"])
    job: int = Field(examples=[42])
    """The job that compared the commit."""
    outcome: str = Field(examples=["job 43 deploys 0123456789ab"])


class PushDeliveryResponse(ResponseModel):
    """A signed delivery of a webhook."""

    id: int = Field(examples=[7])
    delivery: str
    """The id that the sender gave it."""
    event: str = Field(examples=["push"])
    ref: str | None = Field(examples=["refs/heads/main"])
    revision: str | None
    outcome: str = Field(examples=["compared for blog"])
    times: int = Field(examples=[1])
    """How often a delivery with the same id and body arrived."""
    created_at: datetime
    last_at: datetime
    results: list[PushResultResponse]


class PushAnswer(ResponseModel):
    """The answer to a delivery."""

    outcome: str = Field(examples=["compared for blog"])
    jobs: dict[str, int] = Field(examples=[{"blog": 42}])
    """For each app, the job that compares the commit."""


class LoginPath(InPath):
    """A login's id in a path."""

    login: Id
    """Id of the login."""


class LoginRequest(RequestModel):
    """The login of a private repository."""

    url: Text = Field(max_length=2048, examples=["https://git.example/ada/blog.git"])
    """Its https address, as an infraspec has it in `repo.url`."""
    username: Text = Field("x-access-token", max_length=255, examples=["x-access-token"])
    """The user name. GitHub and Gitea accept any name with a token; at GitLab each deploy token has its own name."""
    token: Text = Field(max_length=4096, examples=["glpat-…"])
    """A token that may read the repository."""


class LoginResponse(ResponseModel):
    """The login of a private repository, without its token."""

    id: int = Field(examples=[2])
    repository: str = Field(examples=["git.example/ada/blog"])
    username: str = Field(examples=["x-access-token"])
    set_by: str
    at: datetime
