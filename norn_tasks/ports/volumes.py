"""Directories that outlive containers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from norn_tasks.domain.infraspec import Volume


@dataclass(frozen=True)
class Mount:
    """A directory that a container sees at `target`: `source` is the name of a volume, or (`host`) a host's path."""

    source: str
    target: str
    host: bool = False


class Volumes(Protocol):
    """Keeps the volumes of apps. Only `remove` deletes the data of an app."""

    def ready(self, app: str, volumes: Sequence[Volume]) -> tuple[Mount, ...]:
        """Makes what is missing, keeps what is there with all that is in it, and returns where it is mounted.

        Raises InvalidRequest for a hostPath that the operator does not allow, or that leads elsewhere by a link;
        EngineDown.
        """

    def of_app(self, app: str) -> tuple[str, ...]:
        """Lists the app's volumes by the names that its spec gave them, also those that it names no more."""

    def remove(self, app: str) -> tuple[str, ...]:
        """Removes all of the app's volumes with what is in them, and returns their names; none is fine.

        Directories of the host are nobody's to remove. Raises Conflict while a container uses one.
        """
