"""The error for a sender who wants to open a function to everybody without being an admin."""

from __future__ import annotations

from norn_tasks.domain.errors import Forbidden


def open_to_anyone(app: str) -> Forbidden:
    """Returns the error for `function.auth: none` from a sender who is not an admin."""
    return Forbidden(
        f"function.auth: none would let anyone call {app} without a token, and only an admin may do that",
        hint="write auth: token, or deploy it once with a token of scope admin",
    )
