"""What a long piece of work is given along: where its output goes, and what may stop it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from norn_tasks.domain.job import Fence

Say = Callable[[str], None]
"""Takes output for the step's log: text, with or without line ends."""


class Stop(Protocol):
    """Tells a running piece of work that it should end: cancelled, draining, or its lease is lost."""

    @property
    def reason(self) -> str | None:
        """`cancelled`, `draining`, `lease_lost`; None while the work may go on."""

    def wait(self, seconds: float) -> bool:
        """Sleeps at most so long, and answers at once with True when the stop is set."""

    def check(self) -> None:
        """Raises Stopped when the stop is set."""


@dataclass(frozen=True)
class Watch:
    """What a long piece of work is given along: its fence, where its output goes, and what may stop it.

    `err`: where what came on stderr goes; None: it is not told apart.
    """

    fence: Fence
    say: Say
    stop: Stop
    err: Say | None = None
