"""`norn db`: the databases of apps."""

from __future__ import annotations

from norn_cli.display.tables import SNAPSHOTS
from norn_cli.options import app_argument, commands
from norn_cli.session import Session, pass_session


@commands("db")
def command() -> None:
    """Lists the snapshots of an app's database."""


@command.command("snapshots")
@app_argument
@pass_session
def snapshots(session: Session, app: str | None) -> None:
    """Lists the snapshots of an app's database, newest first; the files are on the machine of the deploy worker."""
    found = session.client.snapshots(session.app(app))
    session.output.page(found, SNAPSHOTS, none="no snapshot was taken yet")
