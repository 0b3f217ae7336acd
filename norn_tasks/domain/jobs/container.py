"""The reference to a container that rows store: its runtime, its engine, and its id on this engine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ContainerRef:
    """A recorded container: the runtime that started it, the id of its engine, and its own id on this engine."""

    runtime: str
    engine: str
    id: str
