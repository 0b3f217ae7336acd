"""`norn worker`: the processes that do the work."""

from __future__ import annotations

from norn_cli.options import commands
from norn_cli.session import Session, pass_session
from norn_cli.tables import WORKERS


@commands("worker")
def command() -> None:
    """Lists the workers."""


@command.command("list")
@pass_session
def list_workers(session: Session) -> None:
    """Lists the workers, with what they are busy with and when they last spoke."""
    session.output.page(session.client.workers(), WORKERS, "name")
