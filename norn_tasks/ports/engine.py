"""The port to a container engine, on which runtimes and clusters run containers."""

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
    """The addresses that containers of runs on an engine can reach; a field is None if that was not tested."""

    address: str
    """The address at which they reach the engine's machine, such as 172.20.0.1/16; empty if they cannot reach it."""
    host: bool | None = None
    """Whether their connections arrive at a program that listens at `address`; a firewall may block them."""
    metadata: bool | None = None
    """Whether they can connect to the address at which a cloud provider serves a machine's metadata."""
    io_uring: bool | None = None
    """Whether they may use io_uring. Defects of io_uring in the kernel have let programs escape from containers."""
    vsock: bool | None = None
    """Whether they may use AF_VSOCK, through which programs on a virtual machine connect to its hypervisor."""
    runc: str | None = None
    """The version of the program that starts containers, as the engine reports it."""


class Engine(Protocol):
    """A container engine. Several runtimes may share an engine, or a runtime may have an engine of its own."""

    name: str
    """The key of the engine in `Tools.engines`."""

    def identity(self) -> str:
        """Returns the engine's id, which Norn stores in it; raises EngineDown."""

    def containers(self) -> tuple[SeenContainer, ...]:
        """Returns all containers with labels that name an owner of this control plane; raises EngineDown."""

    def remove(self, container: str) -> None:
        """Ends and removes a container by id or name, and returns when it no longer exists; a missing container is no
        error.
        """

    def reach(self) -> RunsReach:
        """Returns the addresses and features that the containers of runs can reach; raises EngineDown."""
