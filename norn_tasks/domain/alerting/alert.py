"""Alerts: problems of an app or of the server that people are notified of, and the rules that raise and resolve them.

An alert stays open until its rule resolves it, and a rule has at most one open alert of a kind for an app. So each
problem is reported once, no matter how long it lasts. docs/alerts.md and docs/cron.md say when each kind is raised and
resolved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class AlertRule(StrEnum):
    """A rule that raises alerts; no other rule resolves them."""

    CRON = "cron"
    APP = "app"
    SERVER = "server"
    BACKUP = "backup"


class AlertKind(StrEnum):
    """A kind of problem."""

    RUNS_FAILING = "runs-failing"
    RUNS_MISSED = "runs-missed"
    PAUSED_LONG = "paused-long"
    IMAGE_GONE = "image-gone"
    SCHEDULE_UNREADABLE = "schedule-unreadable"
    CRASH_LOOPING = "crash-looping"
    OUT_OF_MEMORY = "out-of-memory"
    UNHEALTHY = "unhealthy"
    DOWN = "down"
    DEPLOY_FAILED = "deploy-failed"
    DRIFTED = "drifted"
    LAYER_LARGE = "layer-large"
    CERTIFICATE_ENDS = "certificate-ends"
    BACKUP_FAILED = "backup-failed"
    DRILL_FAILED = "drill-failed"
    DISK_FULL = "disk-full"
    SCHEDULER_AWAY = "scheduler-away"


class Severity(StrEnum):
    """The severity of an alert."""

    WARNING = "warning"
    """Something failed, but the live apps continue to run."""
    CRITICAL = "critical"
    """An app does not serve as it should, or nothing is started or built until a person acts."""


SEVERITIES: Mapping[AlertKind, Severity] = {
    AlertKind.CRASH_LOOPING: Severity.CRITICAL,
    AlertKind.OUT_OF_MEMORY: Severity.CRITICAL,
    AlertKind.UNHEALTHY: Severity.CRITICAL,
    AlertKind.DOWN: Severity.CRITICAL,
    AlertKind.DEPLOY_FAILED: Severity.WARNING,
    AlertKind.DRIFTED: Severity.WARNING,
    AlertKind.LAYER_LARGE: Severity.WARNING,
    AlertKind.CERTIFICATE_ENDS: Severity.CRITICAL,
    AlertKind.BACKUP_FAILED: Severity.WARNING,
    AlertKind.DRILL_FAILED: Severity.WARNING,
    AlertKind.DISK_FULL: Severity.CRITICAL,
    AlertKind.SCHEDULER_AWAY: Severity.WARNING,
    AlertKind.RUNS_FAILING: Severity.WARNING,
    AlertKind.RUNS_MISSED: Severity.WARNING,
    AlertKind.PAUSED_LONG: Severity.WARNING,
    AlertKind.IMAGE_GONE: Severity.CRITICAL,
    AlertKind.SCHEDULE_UNREADABLE: Severity.CRITICAL,
}
"""The severity of each kind of alert."""

CRITICAL = tuple(str(kind) for kind, severity in SEVERITIES.items() if severity is Severity.CRITICAL)
"""The kinds that are critical."""


def severity_of(kind: str) -> Severity:
    """Returns the severity of a kind; an alert of an older version may have a kind that is unknown here."""
    return Severity.CRITICAL if kind in CRITICAL else Severity.WARNING


@dataclass(frozen=True)
class NewAlert:
    """An alert to raise. `app` is empty for an alert about the server.

    `tick`: the newest occurrence or deployment that the alert reports; a later alert reports only newer ones.
    """

    kind: AlertKind
    app: str
    sentence: str
    hint: str
    tick: int | None = None

    @property
    def key(self) -> str:
        """The key under which a rule has at most one open alert."""
        return key(self.kind, self.app)


def key(kind: AlertKind, app: str) -> str:
    """Returns the key of an app's alert of a kind."""
    return f"{kind}:{app}"


@dataclass(frozen=True)
class FailureRule:
    """The number of failed runs that raises an alert, and the seconds within which they are counted."""

    window: int
    threshold: int


def failure_rule(spec: Mapping[str, Any]) -> FailureRule:
    """Returns the rule of a cron app from its frozen spec.

    If the spec has no `alerts`, every failed run raises an alert: under a rule such as three failures within five
    minutes, a daily report could never raise one.
    """
    alerts = spec.get("alerts")
    return FailureRule(window=0, threshold=1) if alerts is None else FailureRule(alerts["window"], alerts["threshold"])
