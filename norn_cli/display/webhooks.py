"""The tables of webhooks and their deliveries."""

from __future__ import annotations

from norn_cli.answers import Json
from norn_cli.display.output import Column
from norn_cli.display.times import ago


def _results(row: Json) -> str:
    results = row.get("results") or []
    of_apps = "; ".join(f"{each['app']}: {each['outcome']}" for each in results)
    return of_apps or str(row.get("outcome") or "")


WEBHOOKS = (
    Column("ID", lambda row: row["id"]),
    Column("REPOSITORY", lambda row: row["repository"]),
    Column("MADE", lambda row: ago(row.get("created_at"))),
    Column("BY", lambda row: row["created_by"]),
    Column("ROTATED", lambda row: ago(row.get("rotated_at"))),
    Column("LAST DELIVERY", lambda row: ago(row.get("last_at"))),
)
LOGINS = (
    Column("ID", lambda row: row["id"]),
    Column("REPOSITORY", lambda row: row["repository"]),
    Column("USER", lambda row: row["username"]),
    Column("SET", lambda row: ago(row.get("at"))),
    Column("BY", lambda row: row["set_by"]),
)
PUSH_DELIVERIES = (
    Column("ID", lambda row: row["id"]),
    Column("EVENT", lambda row: row["event"]),
    Column("REF", lambda row: row.get("ref")),
    Column("COMMIT", lambda row: (row.get("revision") or "")[:12]),
    Column("TIMES", lambda row: row["times"]),
    Column("CAME", lambda row: ago(row.get("created_at"))),
    Column("OUTCOME", _results),
)
