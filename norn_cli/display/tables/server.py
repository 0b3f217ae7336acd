"""Tables of the server: its checks, settings, workers, tokens and sessions."""

from __future__ import annotations

from norn_cli.display.output import Column
from norn_cli.display.tables.cells import ID, field, joined, when

CHECKS = (
    Column("CHECK", field("name")),
    Column("STATUS", field("status")),
    Column("MESSAGE", field("message")),
)
SETTINGS = (
    Column("SETTING", field("name")),
    Column("VALUE", lambda row: ("(not shown)" if row["set"] else "") if row["secret"] else row["value"]),
    Column("", lambda row: "set" if row["set"] else "default"),
)
WORKERS = (
    Column("WORKER", field("name")),
    Column("CLASS", field("class")),
    Column("BUSY", lambda worker: f"{worker.get('busy') or 0}/{worker.get('slots')}"),
    Column("SEEN", when("seen_at")),
    Column("STARTED", when("started_at")),
    Column("ENGINE", lambda worker: (worker.get("engine") or "")[:8]),
    Column("TAKES", lambda worker: " ".join(c for c in worker.get("capabilities") or () if c[:7] != "engine:")),
    Column("REMARK", lambda worker: "draining" if worker.get("draining_at") else worker.get("engine_error")),
)
TOKENS = (
    ID,
    Column("NAME", field("name")),
    Column("SCOPES", joined("scopes")),
    Column("APPS", lambda token: ", ".join(token["apps"]) if token.get("apps") else "all"),
    Column("MADE", when("created_at")),
    Column("BY", field("created_by")),
    Column("USED", when("last_used_at")),
)
SESSIONS = (
    ID,
    Column("TOKEN", field("token")),
    Column("BEGAN", when("created_at")),
    Column("USED", when("last_used_at")),
    Column("ENDS", when("expires_at")),
    Column("FROM", field("address")),
    Column("BROWSER", field("agent")),
)
