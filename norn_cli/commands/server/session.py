"""`norn session`: lists the browsers that are signed in, and signs one out."""

from __future__ import annotations

import click

from norn_cli.display.tables import SESSIONS
from norn_cli.options import commands
from norn_cli.session import Session, pass_session


@commands("session")
def command() -> None:
    """Lists the browsers that are signed in, and signs one out."""


@command.command("list")
@pass_session
def list_sessions(session: Session) -> None:
    """Lists the browsers that are signed in.

    If your token has the scope admin, all of them are listed, otherwise only those of your own token.
    """
    session.output.page(session.client.sessions(), SESSIONS)


@command.command("revoke")
@click.argument("session_id", metavar="ID", type=click.IntRange(min=1))
@pass_session
def revoke(session: Session, session_id: int) -> None:
    """Signs a browser out: its requests are refused from now on."""
    session.client.revoke_session(session_id)
    session.output.record({"revoked": session_id}, [("revoked", session_id)], session_id)
