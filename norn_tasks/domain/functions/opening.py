"""The refusal of a function that anyone could call, and whose deployer may not allow that."""

from __future__ import annotations

from norn_tasks.domain.errors import Forbidden


def open_to_anyone(app: str) -> Forbidden:
    """Returns the refusal of `function.auth: none` for a sender who is no admin."""
    return Forbidden(
        f"function.auth: none would let anyone call {app} without a token, and only an admin may do that",
        hint="write auth: token, or deploy it once with a token of scope admin",
    )
