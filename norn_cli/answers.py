"""The words of the server's answers: their type, and which runs are open."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
"""A JSON object, as the server sends it."""
OPEN_RUN = ("pending", "running")
"""The states of a run that has not ended."""
