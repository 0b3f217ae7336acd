"""`norn specs`: lists the versions of an app's infraspec that were applied."""

from __future__ import annotations

from norn_cli.display.tables import SPECS
from norn_cli.options import app_argument, limit_option
from norn_cli.options import command as norn_command
from norn_cli.session import Session, pass_session


@norn_command("specs")
@app_argument
@limit_option()
@pass_session
def command(session: Session, app: str | None, limit: int) -> None:
    """Lists the infraspecs that were applied to an app, newest first.

    With -o yaml or -o json each one is printed with all its fields.
    """
    session.output.page(session.client.specs(session.app(app), limit), SPECS, "version")
