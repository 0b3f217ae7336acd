"""The description of a supervised process: its command, its user and its stop signal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SupervisedProgram:
    """A process that the supervisor starts, and restarts when it dies.

    SIGKILL follows `stop_signal` after `stop_seconds`. If the supervisor is root, the process runs as `user`, unless
    that is empty.
    """

    name: str
    argv: tuple[str, ...]
    directory: Path
    user: str = ""
    stop_signal: str = "TERM"
    stop_seconds: int = 10
    at_once: bool = False
    """If True, it starts together with the supervisor, like the stores, even if it is in another group."""


def runs_module(argv: Sequence[str]) -> bool:
    """Returns True if a command runs a Python module, so that its process is a fork of the supervisor."""
    return tuple(argv[:2]) == (sys.executable, "-m")
