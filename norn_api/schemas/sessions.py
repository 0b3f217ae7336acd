"""Models of sign-in sessions."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from norn_api.schemas.common import Id, InPath, RequestModel, ResponseModel, Text


class SignInRequest(RequestModel):
    """Either a token or a code of `norn ui`."""

    token: Text | None = Field(None, min_length=1, max_length=200, examples=["norn_…"])
    code: Text | None = Field(None, min_length=1, max_length=200)


class SessionResponse(ResponseModel):
    """The sender of this request, and what it may do."""

    signed_in: bool
    """False without a valid session or token; the other fields are then empty."""
    auth: str = Field(examples=["on"])
    """`off`: the server asks for no token, and everybody is signed in."""
    name: str = Field(examples=["bootstrap"])
    """The name of the token."""
    scopes: list[str] = Field(examples=[["admin", "deploy", "invoke", "read"]])
    """The scopes of the token, and every scope that they include."""
    apps: list[str] | None
    """The apps that the token is limited to; null for every app."""
    session: int | None = Field(examples=[7])
    """The id of the session; null for a request with a token."""
    expires_at: datetime | None
    """The end of the session."""


class SessionMade(SessionResponse):
    """A new session, whose cookie is in the header Set-Cookie."""

    csrf: str
    """The second secret, which each request with the cookie must also send, in the header X-Norn-CSRF. It is not shown
    again, and is empty if the server asks for no token."""


class SignInCode(ResponseModel):
    """A code that signs one browser in."""

    code: str | None
    """It can be used once, within a minute; null if the server asks for no token."""


class SessionPath(InPath):
    """A session's id in a path."""

    session: Id
    """Id of the session."""


class SessionListed(ResponseModel):
    """A browser that is signed in."""

    id: int = Field(examples=[7])
    token: str = Field(examples=["bootstrap"])
    """The name of the token whose scopes it has."""
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    agent: str = Field(examples=["Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"])
    """The header User-Agent of the browser."""
    address: str = Field(examples=["127.0.0.1"])
    current: bool
    """True for the session of this request."""
