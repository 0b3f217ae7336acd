"""The tables: one tuple of columns for each kind of object of the API."""

from norn_cli.display.tables.alerts import ALERTS, DELIVERIES, DESTINATIONS
from norn_cli.display.tables.apps import (
    APPS,
    DEPLOYMENTS,
    RELEASES,
    REPLICAS,
    SPECS,
    STATES,
    app_state,
    ready_of_wanted,
)
from norn_cli.display.tables.cells import short, took
from norn_cli.display.tables.jobs import EVENTS, JOBS, STEPS, happened
from norn_cli.display.tables.runs import CALLS, OCCURRENCES, ONEOFFS, RUNS, SCHEDULES, ticks
from norn_cli.display.tables.server import CHECKS, SESSIONS, SETTINGS, TOKENS, WORKERS
from norn_cli.display.tables.services import DATABASES, SECRETS, SERVICES, SNAPSHOTS

__all__ = [
    "short",
    "took",
    "app_state",
    "ready_of_wanted",
    "APPS",
    "REPLICAS",
    "DEPLOYMENTS",
    "RELEASES",
    "SPECS",
    "STATES",
    "JOBS",
    "STEPS",
    "EVENTS",
    "happened",
    "RUNS",
    "ONEOFFS",
    "CALLS",
    "SCHEDULES",
    "OCCURRENCES",
    "ticks",
    "ALERTS",
    "DESTINATIONS",
    "DELIVERIES",
    "SERVICES",
    "DATABASES",
    "SNAPSHOTS",
    "SECRETS",
    "CHECKS",
    "SETTINGS",
    "WORKERS",
    "TOKENS",
    "SESSIONS",
]
