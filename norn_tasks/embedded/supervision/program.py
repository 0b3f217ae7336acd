"""A supervised process as a value: its command, its user and its stop signal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SupervisedProgram:
    """A process that the supervisor starts, and restarts when it dies.

    `stop_seconds` pass between `stop_signal` and SIGKILL. `user` is the user that root changes to; empty: no change.
    """

    name: str
    argv: tuple[str, ...]
    directory: Path
    user: str = ""
    stop_signal: str = "TERM"
    stop_seconds: int = 10
    at_once: bool = False
    """It starts with the supervisor, as the stores do, even if it is in another group."""


def runs_module(argv: Sequence[str]) -> bool:
    """Returns True if a command runs a Python module: then the process is a fork of the supervisor."""
    return tuple(argv[:2]) == (sys.executable, "-m")
