"""The type of the server's answers, and the states of a run that has not ended."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
"""A JSON object, as the server sends it."""
OPEN_RUN = ("pending", "running")
"""The states of a run that has not ended."""
