"""The watch of a long piece of work: where its output goes, and the stop that ends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from norn_tasks.domain.jobs.job import Fence

Say = Callable[[str], None]
"""A function that takes output for the step's log: text, with or without line ends."""


class Stop(Protocol):
    """Signals a running piece of work to end, because it was cancelled, its worker drains, or its lease was lost."""

    @property
    def reason(self) -> str | None:
        """`cancelled`, `draining` or `lease_lost`; None while the work may go on."""

    def wait(self, seconds: float) -> bool:
        """Sleeps for at most `seconds`; returns True immediately when the stop is set."""

    def check(self) -> None:
        """Raises Stopped when the stop is set."""


@dataclass(frozen=True)
class Watch:
    """The fence of a long piece of work, the function that receives its output, and the stop that ends it.

    `err` receives stderr; None if the two streams are not kept apart.
    """

    fence: Fence
    say: Say
    stop: Stop
    err: Say | None = None
