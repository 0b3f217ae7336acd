"""`norn doctor`: asks the server to check itself, checks this machine too if the server runs on it, and says what
helps.
"""

from __future__ import annotations

import json

from norn_cli import launch
from norn_cli.answers import Json
from norn_cli.commands.server.health import fail_when_wrong
from norn_cli.display.output import Column
from norn_cli.display.tables import CHECKS
from norn_cli.errors import CliError, Unreachable
from norn_cli.options import command as norn_command
from norn_cli.session import Session, pass_session


@norn_command("doctor")
@pass_session
def command(session: Session) -> None:
    """Checks the server and says what is wrong and what helps; the exit status is 1 if something is wrong."""
    report = _server(session)
    report["checks"] = [*report["checks"], *_here(session)]
    columns = (*CHECKS, Column("WHAT HELPS", lambda check: check.get("hint")))
    session.output.data(report, lambda: session.output.table(report["checks"], columns), [str(report["status"])])
    fail_when_wrong(report)


def _server(session: Session) -> Json:
    try:
        return session.client.doctor()
    except Unreachable as error:
        check = {"name": "server", "status": "fail", "message": error.sentence, "hint": error.hint}
        return {"status": "down", "checks": [check], "version": ""}


def _here(session: Session) -> list[Json]:
    """Returns the results of the checks of this machine; none if the server runs elsewhere or is not installed here."""
    if not session.profile.loopback:
        return []
    try:
        found = json.loads(launch.output_of_embedded(["doctor"]))
    except (CliError, ValueError):
        return []
    return [dict(each) for each in found]
