"""`norn settings`: lists the settings of the server."""

from __future__ import annotations

import click

from norn_cli.display.tables import SETTINGS
from norn_cli.options import command as norn_command
from norn_cli.session import Session, pass_session


@norn_command("settings")
@click.option("--changed", is_flag=True, help="Only settings that are not the default.")
@pass_session
def command(session: Session, changed: bool) -> None:
    """Lists the settings of the server; passwords are not shown."""
    found = session.client.settings()
    if changed:
        found["items"] = [each for each in found["items"] if each["set"]]
    session.output.page(found, SETTINGS)
