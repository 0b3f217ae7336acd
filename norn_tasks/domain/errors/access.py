"""Errors for callers who may not make a request, or not so often."""

from __future__ import annotations

from norn_tasks.domain.errors.base import NornError


class Unauthenticated(NornError):
    """The request has no token, or its token is unknown or revoked."""

    code, status = "unauthenticated", 401


class Forbidden(NornError):
    """The token is valid, but does not allow this request."""

    code, status = "forbidden", 403


class TooManyRequests(NornError):
    """The caller sends too many requests; `retry_after` (seconds) is in the facts."""

    code, status = "too_many_requests", 429
