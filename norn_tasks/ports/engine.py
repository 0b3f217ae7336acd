"""The place where containers are: a container engine, whichever runtimes and clusters use it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class SeenContainer:
    """A container of this control plane on an engine, as its labels describe it; `age` is in seconds."""

    id: str
    name: str
    owner: str
    running: bool
    age: float


@dataclass(frozen=True)
class RunsReach:
    """The reach of the containers of runs on an engine; None: it was not tried."""

    address: str
    """Where they reach the engine's machine, with the length of the prefix, such as 172.20.0.1/16; empty: nowhere."""
    host: bool | None = None
    """Whether a program that listens there gets their connections; a firewall may keep them away."""
    metadata: bool | None = None
    """Whether they can connect to the address at which a cloud machine asks for its own metadata."""
    io_uring: bool | None = None
    """Whether they may use io_uring, whose defects in the kernel have let programs escape from containers."""


class Engine(Protocol):
    """A container engine. Several runtimes may share one, and a runtime may have one of its own."""

    name: str
    """The key under which Tools has it."""

    def identity(self) -> str:
        """Returns the engine's id, which Norn stores in it; raises EngineDown."""

    def containers(self) -> tuple[SeenContainer, ...]:
        """Lists all containers that carry an owner of this control plane; raises EngineDown."""

    def remove(self, container: str) -> None:
        """Ends and removes a container by id or name, and returns when it is gone; a missing one is fine."""

    def reach(self) -> RunsReach:
        """Returns what the containers of runs can reach; raises EngineDown."""
