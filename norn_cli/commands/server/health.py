"""`norn health`: shows the health of each part of the server; `norn doctor` adds what helps."""

from __future__ import annotations

import click

from norn_cli.answers import Json
from norn_cli.display.output import Column
from norn_cli.display.tables import CHECKS, STATES
from norn_cli.errors import CliError
from norn_cli.options import command as norn_command
from norn_cli.session import Session, pass_session


@norn_command("health")
@click.argument("app", required=False)
@click.option("-n", "--limit", type=click.IntRange(1, 200), default=20, show_default=True,
              help="With APP: the most states to list.")  # fmt: skip
@pass_session
def command(session: Session, app: str | None, limit: int) -> None:
    """Shows the health of the server; the exit status is 1 if a part of it fails.

    With APP, it lists the times in which that webserver or worker served, was degraded, down or stopped.
    """
    if app is not None:
        session.output.page(session.client.health_checks(app, limit), STATES)
        return
    print_checks(session, CHECKS)


def print_checks(session: Session, columns: tuple[Column, ...]) -> None:
    """Prints the checks; raises CliError if the server is down or a check fails."""
    health = session.client.health()
    page = {"items": health.get("checks") or []}
    session.output.data(health, lambda: session.output.table(page["items"], columns), [str(health["status"])])
    fail_when_wrong({**health, "checks": page["items"]})


def fail_when_wrong(health: Json) -> None:
    """Raises CliError with the first hint if the server is down or a check fails."""
    failing = [check for check in health["checks"] if check.get("status") == "fail"]
    if failing or health["status"] == "down":
        raise CliError(_sentence(health, failing), hint=next((str(c["hint"]) for c in failing if c.get("hint")), ""))


def _sentence(health: Json, failing: list[Json]) -> str:
    names = ", ".join(str(check["name"]) for check in failing)
    return f"the server is {health['status']}" + (f": {names}" if names else "")
