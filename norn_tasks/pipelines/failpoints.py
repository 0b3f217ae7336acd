"""Failpoints: points at which a test can make the process die, freeze or fail. They do nothing unless the setting
NORN_TEST_BUILD is on.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from norn_tasks.domain.errors import StepFailed


class Point(StrEnum):
    """A point in a step: before the step begins, between its effect and the commit, or after the commit.

    A step that runs a container has three more points: the container is created but not recorded, is recorded, or is
    about to start.
    """

    BEFORE = "before"
    CREATED = "created"
    RECORDED = "recorded"
    BEGUN = "begun"
    EFFECT = "effect"
    AFTER = "after"


FailpointHook = Callable[[str, Point], None]


def inert(_step: str, _point: Point) -> None:
    """Does nothing. This is the failpoint unless the settings NORN_TEST_BUILD and NORN_FAILPOINT ask for another."""


@dataclass(frozen=True)
class Failpoint:
    """A failpoint in the form `step:point:action`. The action is `kill` (SIGKILL to the process itself), `stop`
    (SIGSTOP) or `fail`.
    """

    step: str
    point: Point
    action: str

    def __call__(self, step: str, point: Point) -> None:
        """Performs the action if this is the step and the point of the failpoint."""
        if (step, point) != (self.step, self.point):
            return
        if self.action == "fail":
            raise StepFailed(f"failpoint {self.step}:{self.point}")
        os.kill(os.getpid(), signal.SIGKILL if self.action == "kill" else signal.SIGSTOP)


def failpoint_from(text: str, *, test_build: bool) -> FailpointHook:
    """Returns the failpoint that `NORN_FAILPOINT` describes. Returns one that does nothing if `text` is empty or
    `test_build` is False.
    """
    if not test_build or not text:
        return inert
    step, point, action = text.split(":")
    return Failpoint(step, Point(point), action)
