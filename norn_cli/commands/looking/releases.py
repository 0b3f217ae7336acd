"""`norn releases`: lists the releases of an app."""

from __future__ import annotations

from norn_cli.display.tables import RELEASES
from norn_cli.options import app_argument, limit_option
from norn_cli.options import command as norn_command
from norn_cli.session import Session, pass_session


@norn_command("releases")
@app_argument
@limit_option()
@pass_session
def command(session: Session, app: str | None, limit: int) -> None:
    """Lists an app's releases, newest first."""
    session.output.page(session.client.releases(session.app(app), limit), RELEASES, "n")
