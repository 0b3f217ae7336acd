"""Norn's processes by their names, which `norn up` and docker-compose.yml share: how a person reads what one writes."""

from __future__ import annotations


def log_of(process: str) -> str:
    """Answers what to type for the log of a process, whichever of the two started it."""
    return f"norn logs --server {process}, or docker-compose logs {process}"
