"""`norn doctor`: how the server is, and what helps."""

from __future__ import annotations

from norn_cli.commands.health import tell
from norn_cli.options import command as norn_command
from norn_cli.output import Column
from norn_cli.session import Session, pass_session
from norn_cli.tables import CHECKS


@norn_command("doctor")
@pass_session
def command(session: Session) -> None:
    """Says how the server is and what helps; exit status 1 when a part of it fails."""
    tell(session, (*CHECKS, Column("WHAT HELPS", lambda check: check.get("hint"))))
