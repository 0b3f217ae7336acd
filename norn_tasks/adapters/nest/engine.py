"""The nest (the container in which crun starts runs) as a container engine: its sandboxes."""

from __future__ import annotations

import contextlib

from norn_tasks.adapters.nest.door import Door
from norn_tasks.domain.errors import NotFound
from norn_tasks.ports import RunsReach, SeenContainer

PREFIX = "nest-"
"""The beginning of the id of every sandbox. Docker's own ids are hexadecimal, so none begins like this."""


class NestEngine:
    """Implements `ports.Engine` for the sandboxes of a nest, which belongs to one control plane."""

    name = "nest"

    def __init__(self, door: Door) -> None:
        self.door = door

    def identity(self) -> str:
        """Returns the nest's id, which changes each time the nest starts; raises EngineDown."""
        return str(self.door.look()["epoch"])

    def containers(self) -> tuple[SeenContainer, ...]:
        """Returns all sandboxes; raises EngineDown."""
        return tuple(
            SeenContainer(each["id"], each["name"], each["owner"], each["running"], each["age"])
            for each in self.door.ask(do="list")["runs"]
        )

    def remove(self, container: str) -> None:
        """Ends and removes a sandbox by id or name, and returns when it no longer exists."""
        with contextlib.suppress(NotFound):
            self.door.ask(do="remove", id=container)

    def reach(self) -> RunsReach:
        """Returns a RunsReach that says that nothing was tested."""
        return RunsReach("")
