"""`norn health`: how the server is, part by part; `norn doctor` is the same with what helps."""

from __future__ import annotations

from typing import Any

from norn_cli.errors import CliError
from norn_cli.options import command as norn_command
from norn_cli.output import Column
from norn_cli.session import Session, pass_session
from norn_cli.tables import CHECKS

Json = dict[str, Any]


@norn_command("health")
@pass_session
def command(session: Session) -> None:
    """Says how the server is; exit status 1 when a part of it fails."""
    tell(session, CHECKS)


def tell(session: Session, columns: tuple[Column, ...]) -> None:
    """Prints the checks; raises CliError when the server is down or a check fails."""
    health = session.client.health()
    page = {"items": health.get("checks") or []}
    session.output.data(health, lambda: session.output.table(page["items"], columns), [str(health["status"])])
    fail_when_wrong({**health, "checks": page["items"]})


def fail_when_wrong(health: Json) -> None:
    """Raises CliError when the server is down or a check fails, with the first way out."""
    failing = [check for check in health["checks"] if check.get("status") == "fail"]
    if failing or health["status"] == "down":
        raise CliError(_sentence(health, failing), hint=next((str(c["hint"]) for c in failing if c.get("hint")), ""))


def _sentence(health: Json, failing: list[Json]) -> str:
    names = ", ".join(str(check["name"]) for check in failing)
    return f"the server is {health['status']}" + (f": {names}" if names else "")
