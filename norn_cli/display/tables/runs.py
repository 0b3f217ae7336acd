"""Tables of everything that runs code once: cron runs and their schedules, one-offs and calls."""

from __future__ import annotations

import shlex

from norn_cli.answers import Json
from norn_cli.display.bar import bar
from norn_cli.display.output import Column
from norn_cli.display.tables.cells import APP, BY, EXIT, ID, STATE, TOOK, WHY, field, reason, when
from norn_cli.display.times import ago, local, span


def verdict(tick: Json) -> str:
    """Returns an occurrence's verdict, with the number of occurrences in the row; `manual` for a manual run."""
    word = str(tick["verdict"] or tick.get("trigger") or "")
    return word + (f" ×{tick['how_many']}" if (tick.get("how_many") or 1) > 1 else "")


def _call(row: Json) -> str:
    return f"{row.get('method', '')} {row.get('path', '')}" + (f"?{row['query']}" if row.get("query") else "")


RUNS = (
    ID,
    Column("BEGAN", lambda run: ago(run.get("begun_at") or run.get("created_at"))),
    Column("VERDICT", lambda run: run.get("verdict") or run.get("trigger")),
    STATE,
    EXIT,
    TOOK,
    WHY,
)
ONEOFFS = (
    ID,
    Column("BEGAN", lambda run: ago(run.get("begun_at") or run.get("created_at"))),
    Column("COMMAND", lambda run: shlex.join(run.get("command") or [])),
    STATE,
    EXIT,
    TOOK,
    BY,
    WHY,
)
CALLS = (
    ID,
    Column("CALLED", when("created_at")),
    Column("REQUEST", _call),
    STATE,
    EXIT,
    TOOK,
    WHY,
)
SCHEDULES = (
    APP,
    Column("SCHEDULE", lambda row: row["schedule"].get("text")),
    Column("STATE", lambda row: row["schedule"].get("state")),
    Column("NEXT", lambda row: local(row["schedule"].get("next"), row["schedule"].get("timezone") or "UTC")),
    Column("", lambda row: ago(row["schedule"].get("next"))),
    Column("LAST", lambda row: (row["schedule"].get("last") or {}).get("verdict")),
    Column("LAST 30", lambda row: bar(row.get("recent") or [])),
)
OCCURRENCES = (
    Column("DUE", field("local")),
    Column("OFFSET", field("offset")),
    Column("", when("at")),
    Column("NOTE", field("note")),
)


def ticks(zone: str) -> tuple[Column, ...]:
    """Returns the columns of a history, with its times in the schedule's zone."""
    return (
        Column("DUE", lambda tick: span(tick.get("scheduled_for"), tick.get("until"), zone)),
        Column("VERDICT", verdict),
        STATE,
        EXIT,
        Column("BEGAN", lambda tick: local(tick.get("begun_at"), zone)[11:19]),
        TOOK,
        Column("RUN", field("execution")),
        Column("TRY", lambda tick: tick["attempt"] if (tick.get("attempt") or 1) > 1 else ""),
        Column("WHY", lambda tick: tick.get("reason") or reason(tick)),
    )
