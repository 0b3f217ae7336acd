"""One supervised process, as a value: what to run, as whom, and how it likes to be stopped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Program:
    """A process that is started, watched, and started again when it dies.

    `stop_seconds` pass between `stop_signal` and SIGKILL. `user` is a name for root to change to, empty: nobody else.
    """

    name: str
    argv: tuple[str, ...]
    directory: Path
    user: str = ""
    stop_signal: str = "TERM"
    stop_seconds: int = 10
