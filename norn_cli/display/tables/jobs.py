"""Tables of jobs, their steps, and events."""

from __future__ import annotations

from norn_cli.answers import Json
from norn_cli.display.output import Column
from norn_cli.display.tables.cells import APP, BY, ID, STATE, error, field, when
from norn_cli.display.times import between, duration, local

JOBS = (
    ID,
    Column("KIND", field("kind")),
    APP,
    STATE,
    Column("ACCEPTED", when("created_at")),
    Column("TOOK", lambda job: between(job.get("started_at"), job.get("ended_at"))),
    BY,
    Column("ERROR", lambda job: error(job) or job.get("waits") or ""),
)
STEPS = (
    Column("STEP", field("name")),
    STATE,
    Column("TOOK", lambda step: duration(step.get("seconds"))),
    Column("NOTE", lambda step: step.get("note") or error(step)),
)
EVENTS = (
    Column("WHEN", lambda event: local(event.get("at"))),
    Column("EVENT", field("kind")),
    APP,
    Column("JOB", field("job")),
    Column("WHAT", lambda event: happened(event.get("data") or {})),
)


def happened(data: Json) -> str:
    """Returns an event's data in one line."""
    error = data.get("error") or {}
    parts = [
        f"{name} {value}" for name, value in data.items() if name != "error" and isinstance(value, str | int | float)
    ]
    return ", ".join([*parts, *([error.get("sentence", "")] if isinstance(error, dict) and error else [])])
