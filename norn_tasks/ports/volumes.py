"""The port for volumes: directories that outlive containers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from norn_tasks.domain.infraspec import Volume


@dataclass(frozen=True)
class Mount:
    """A directory that a container sees at `target`. `source` is the name of a volume or, if `host` is True, a path of
    the host.
    """

    source: str
    target: str
    host: bool = False


class Volumes(Protocol):
    """Stores the volumes of apps. Only `remove` deletes an app's data."""

    def ready(self, app: str, volumes: Sequence[Volume]) -> tuple[Mount, ...]:
        """Creates missing volumes, keeps existing ones with their content, and returns their mounts.

        Raises EngineDown, and InvalidRequest for a hostPath that the operator does not allow or that leads elsewhere
        through a link.
        """

    def of_app(self, app: str) -> tuple[str, ...]:
        """Lists the app's volumes by their names in the spec, including volumes that the spec no longer names."""

    def remove(self, app: str) -> tuple[str, ...]:
        """Removes all of the app's volumes with their content, if there are any, and returns their names.

        Directories of the host are never removed. Raises Conflict while a container uses one of the volumes.
        """
