"""`norn services`: lists the databases, keys and topics that apps were given, and renews their passwords."""

from __future__ import annotations

import click

from norn_cli.display.tables import SERVICES
from norn_cli.following import work
from norn_cli.options import WaitOptions, app_argument, commands, complete_app, work_options
from norn_cli.session import Session, pass_session


@commands("services")
def command() -> None:
    """Lists the databases, keys and topics of apps, and gives apps new passwords for them."""


@command.command("list")
@click.argument("app", required=False, shell_complete=complete_app)
@pass_session
def list_services(session: Session, app: str | None) -> None:
    """Lists the services of one app, or of all, with the variable in which containers find the URL of each service."""
    found = session.client.services(app or session.app_option or None)
    session.output.page(found, SERVICES, "name", none="no app has a shared service")


@command.command("rotate")
@app_argument
@work_options
@pass_session
def rotate(session: Session, app: str | None, waiting: WaitOptions) -> None:
    """Gives an app new passwords for its services, and restarts its replicas; runs and calls get them at once."""
    work.see_through(session, session.client.rotate_services(session.app(app)), waiting)
