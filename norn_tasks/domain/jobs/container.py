"""A container as rows record it: what started it, where it is, and its id there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ContainerRef:
    """A recorded container: the runtime that started it, the id of its engine, and the id that it has there."""

    runtime: str
    engine: str
    id: str
