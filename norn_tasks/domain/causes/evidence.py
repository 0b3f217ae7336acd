"""The evidence about a failure, and the cause that a rule finds in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class ProgramFile:
    """The file in the image that a container could not execute."""

    path: str
    """Its path in the image."""
    head: bytes
    """Its first bytes."""


@dataclass(frozen=True)
class OpenSocket:
    """A TCP socket on which a container listens."""

    address: str
    """The address, such as 127.0.0.1 or 0.0.0.0; empty if it is unknown because only the port was tried."""
    port: int

    @property
    def local(self) -> bool:
        """True when only the container itself can connect to it."""
        return self.address.startswith("127.") or self.address == "::1"


@dataclass(frozen=True)
class Evidence:
    """The facts about a container or a build that has failed."""

    lines: tuple[str, ...] = ()
    """The last lines of output, oldest first."""
    around: tuple[str, ...] = ()
    """All lines of output; set if `lines` has only one of them, because another line may name the place of an error."""
    exit_code: int | None = None
    """The exit code; None while the container runs."""
    port: int | None = None
    """The port on which the app should listen."""
    read_only: bool = False
    """True if Norn made the container's root file system read-only."""
    volumes: tuple[str, ...] = ()
    """The paths of the container's volumes."""
    user: str = ""
    """The user of the image; empty for root."""
    program: ProgramFile | None = None
    """The file that could not be executed, if there is one."""
    sockets: tuple[OpenSocket, ...] | None = None
    """The sockets on which the container listens; None if they cannot be found."""
    beside: bool = False
    """True if an older replica of the app runs at the same time."""
    waits_for_lock: bool = False
    """True if a process of the container waits for a lock on a file."""
    tls: bool = False
    """True if the container's port answers a TLS handshake."""
    environment: frozenset[str] = frozenset()
    """The names of the container's environment variables."""


@dataclass(frozen=True)
class Cause:
    """A cause of a failure: the text that completes the sentence about the failure, and a hint, which may be empty."""

    text: str
    hint: str = ""


Rule = Callable[[Evidence], Cause | None]
"""A function that looks for one cause, and returns it, or None if the evidence has no sign of it."""
