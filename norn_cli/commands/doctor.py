"""`norn doctor`: what is wrong, and what helps: with the server, and with a server of this machine."""

from __future__ import annotations

import json
from typing import Any

from norn_cli import launch
from norn_cli.commands.health import fail_when_wrong
from norn_cli.errors import CliError, Unreachable
from norn_cli.options import command as norn_command
from norn_cli.output import Column
from norn_cli.session import Session, pass_session
from norn_cli.tables import CHECKS

Json = dict[str, Any]


@norn_command("doctor")
@pass_session
def command(session: Session) -> None:
    """Looks the server over and says what is wrong and what helps; exit status 1 when something is."""
    told = _server(session)
    told["checks"] = [*told["checks"], *_here(session)]
    columns = (*CHECKS, Column("WHAT HELPS", lambda check: check.get("hint")))
    session.output.data(told, lambda: session.output.table(told["checks"], columns), [str(told["status"])])
    fail_when_wrong(told)


def _server(session: Session) -> Json:
    try:
        return session.client.doctor()
    except Unreachable as error:
        check = {"name": "server", "status": "fail", "message": error.sentence, "hint": error.hint}
        return {"status": "down", "checks": [check], "version": ""}


def _here(session: Session) -> list[Json]:
    """Answers what can be seen of a server on this machine; nothing of one elsewhere, or when it is not installed."""
    if not session.profile.loopback:
        return []
    try:
        found = json.loads(launch.told_by_embedded(["doctor"]))
    except (CliError, ValueError):
        return []
    return [dict(each) for each in found]
