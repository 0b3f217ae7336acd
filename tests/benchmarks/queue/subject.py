"""The interface of a measured queue, which accepts no-op jobs and runs them in worker processes of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.servers import Broker, Postgres

Send = Callable[[int], None]
"""Sends the job with this number to the queue, and returns when the queue has accepted it."""


@dataclass(frozen=True)
class Stores:
    """The stores that all queues share, each with a database of its own, and a directory for files."""

    home: Path
    postgres: Postgres
    broker: Broker


class Subject(Protocol):
    """A measured queue."""

    name: str
    version: str
    durable: bool

    def sender(self) -> Send: ...
    def start(self) -> None: ...
    def pids(self) -> list[int]: ...
    def ends(self) -> Mapping[int, float]: ...
    def stop(self) -> None: ...
