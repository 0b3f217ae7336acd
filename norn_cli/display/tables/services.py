"""Tables of shared services of apps, of their databases, and of secrets."""

from __future__ import annotations

from norn_cli.answers import Json
from norn_cli.display.output import Column
from norn_cli.display.tables.cells import ID, amount, field, when

SERVICES = (
    Column("APP", field("app")),
    Column("KIND", field("kind")),
    Column("NAME", field("name")),
    Column("VARIABLE", field("variable")),
    Column("SINCE", when("since")),
    Column("STATE", lambda part: _part_state(part)),
)
DATABASES = (
    Column("APP", field("app")),
    Column("DATABASE", field("name")),
    Column("SIZE", lambda each: amount(each["bytes"], "not seen yet")),
    Column("CONNECTIONS", field("connections")),
    Column("BACKUPS", field("schedule")),
    Column("LAST BACKUP", when("last_backup")),
    Column("NEXT", when("next_backup")),
    Column("DRILLED", when("drilled_at")),
)
SNAPSHOTS = (
    ID,
    Column("DATABASE", field("database")),
    Column("TAKEN", when("at")),
    Column("FOR", lambda each: f"{each['reason']} {each['release'] or ''}".strip()),
    Column("SIZE", lambda each: amount(each["bytes"])),
    Column("ROWS", field("rows")),
    Column("DRILLED", when("drilled_at")),
    Column("FILE", field("file")),
)
SECRETS = (
    Column("SECRET", field("name")),
    Column("VERSION", field("version")),
    Column("SET", when("at")),
    Column("BY", field("set_by")),
    Column("STATE", lambda secret: _secret_state(secret)),
)


def _part_state(part: Json) -> str:
    if not part["made"]:
        return "reserved, not made yet"
    return "in use" if part["named"] else "kept: the infraspec names it no longer"


def _secret_state(secret: Json) -> str:
    if secret.get("missing"):
        return "missing"
    return "" if secret.get("named") else "not named by the infraspec: no container gets it"
