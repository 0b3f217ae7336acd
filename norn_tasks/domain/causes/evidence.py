"""The evidence of a failure, and the cause that a rule finds in it; values only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class ProgramFile:
    """The file that a container could not execute, as it is in the image."""

    path: str
    """Its path in the image."""
    head: bytes
    """Its first bytes."""


@dataclass(frozen=True)
class OpenSocket:
    """A TCP socket on which a container listens."""

    address: str
    """The address, such as 127.0.0.1 or 0.0.0.0; empty if it is not known, because only the port answered."""
    port: int

    @property
    def local(self) -> bool:
        """True when only the container itself reaches it."""
        return self.address.startswith("127.") or self.address == "::1"


@dataclass(frozen=True)
class Evidence:
    """The facts about a container or a build that has failed."""

    lines: tuple[str, ...] = ()
    """The last lines of its output, oldest first."""
    around: tuple[str, ...] = ()
    """All lines, when `lines` is only one of them: another line may name the place of an error."""
    exit_code: int | None = None
    """Its exit code; none while it runs."""
    port: int | None = None
    """The port on which it should listen."""
    read_only: bool = False
    """True when Norn made its root file system read-only."""
    volumes: tuple[str, ...] = ()
    """The paths of its volumes."""
    user: str = ""
    """The user of its image; empty for root."""
    program: ProgramFile | None = None
    """The file that could not be executed, if there is one."""
    sockets: tuple[OpenSocket, ...] | None = None
    """The sockets on which it listens; none if they cannot be known."""
    beside: bool = False
    """True when an older replica of the app runs at the same time."""
    waits_for_lock: bool = False
    """True when one of its processes waits for a lock on a file."""
    tls: bool = False
    """True when its port answers a TLS handshake."""
    environment: frozenset[str] = frozenset()
    """The names of the variables that it was given."""


@dataclass(frozen=True)
class Cause:
    """A cause: the text that completes the sentence of the failure, and a hint, empty if there is none."""

    text: str
    hint: str = ""


Rule = Callable[[Evidence], Cause | None]
"""Returns the cause that it looks for, or none if the evidence has no sign of it."""
