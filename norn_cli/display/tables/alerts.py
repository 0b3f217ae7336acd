"""Tables of alerts, and of the notifications that report them."""

from __future__ import annotations

from norn_cli.display.output import Column
from norn_cli.display.tables.cells import APP, ID, STATE, field, when

ALERTS = (
    ID,
    APP,
    Column("ALERT", field("kind")),
    Column("SEVERITY", field("severity")),
    Column("SINCE", when("raised_at")),
    Column("RESOLVED", when("resolved_at")),
    Column("WHAT", field("sentence")),
    Column("WAY OUT", lambda alert: alert.get("resolution") or alert.get("hint")),
)
DESTINATIONS = (
    Column("NAME", field("name")),
    Column("ADDRESS", field("url")),
    Column("FORMAT", field("format")),
    Column("APPS", lambda row: ", ".join(row["apps"]) if row.get("apps") else "all"),
    Column("ALERTS", lambda row: ", ".join(row["kinds"]) if row.get("kinds") else "all"),
    Column("SEVERITY", field("severity")),
    Column("ADDED", when("created_at")),
    Column("BY", field("created_by")),
)
DELIVERIES = (
    ID,
    Column("EVENT", field("event")),
    APP,
    STATE,
    Column("TRIES", field("attempts")),
    Column("OUTCOME", field("outcome")),
    Column("MADE", when("created_at")),
    Column("AGAIN", when("next_at")),
)
