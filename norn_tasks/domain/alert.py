"""Alerts: what somebody should know of an app without having asked, from what raises it to what resolves it.

An alert is open under its key (kind and app) until it is resolved, so the same trouble is told once however long it
lasts. What raises and what resolves each kind is in docs/cron.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class AlertKind(StrEnum):
    """What is wrong."""

    RUNS_FAILING = "runs-failing"
    RUNS_MISSED = "runs-missed"
    PAUSED_LONG = "paused-long"
    IMAGE_GONE = "image-gone"
    SCHEDULE_UNREADABLE = "schedule-unreadable"


@dataclass(frozen=True)
class NewAlert:
    """An alert to raise. `tick`: the newest occurrence that it tells of, so that none is told twice."""

    kind: AlertKind
    app: str
    sentence: str
    hint: str
    tick: int | None = None

    @property
    def key(self) -> str:
        """Under which it is open at most once."""
        return key(self.kind, self.app)


def key(kind: AlertKind, app: str) -> str:
    """Answer the key of an app's alert of a kind."""
    return f"{kind}:{app}"


@dataclass(frozen=True)
class FailureRule:
    """How many failed runs within how many seconds raise an alert."""

    window: int
    threshold: int


def failure_rule(spec: Mapping[str, Any]) -> FailureRule:
    """Answer the rule of a cron app from its spec as JSON.

    Without `alerts` every failed run counts: of a report that runs once a day, three never fail within five minutes.
    """
    written = spec.get("alerts")
    if not written:
        return FailureRule(window=0, threshold=1)
    return FailureRule(int(written.get("window", 300)), int(written.get("threshold", 3)))
