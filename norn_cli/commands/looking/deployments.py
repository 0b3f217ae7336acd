"""`norn deployments`: lists every attempt to make a release of an app live."""

from __future__ import annotations

from norn_cli.display.tables import DEPLOYMENTS
from norn_cli.options import app_argument, limit_option
from norn_cli.options import command as norn_command
from norn_cli.session import Session, pass_session


@norn_command("deployments")
@app_argument
@limit_option()
@pass_session
def command(session: Session, app: str | None, limit: int) -> None:
    """Lists an app's deployments, newest first."""
    session.output.page(session.client.deployments(session.app(app), limit), DEPLOYMENTS)
