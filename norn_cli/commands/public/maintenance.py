"""`norn maintenance`: shows a page at an app's public name instead of the app, whose replicas keep running."""

from __future__ import annotations

from pathlib import Path

import click

from norn_cli.errors import Usage
from norn_cli.options import app_argument
from norn_cli.options import command as norn_command
from norn_cli.session import Session, pass_session

_STATES = ("on", "off")


@norn_command("maintenance")
@app_argument
@click.argument("state", required=False, metavar="on|off")
@click.option("--message", default="", help="A sentence for Norn's page.")
@click.option("--page", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Your own page, in HTML.")
@pass_session
def command(session: Session, app: str | None, state: str | None, message: str, page: Path | None) -> None:
    """Shows visitors of an app's public name a page (on), with the status 503, or the app again (off).

    The replicas, the app's own address and its deploys are not touched.
    """
    if state is None and app in _STATES:
        app, state = None, app
    if state not in _STATES:
        raise Usage("maintenance is on or off", hint="norn maintenance blog on --message 'Back at 14:00.'")
    name = session.app(app)
    if state == "off":
        session.client.end_maintenance(name)
    else:
        session.client.begin_maintenance(name, {"message": message, "page": _read(page)})
    session.output.record({"app": name, "maintenance": state}, [("app", name), ("maintenance", state)], name)


def _read(page: Path | None) -> str | None:
    if page is None:
        return None
    try:
        return page.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Usage(f"{page} cannot be read as text: {error}", hint="name an HTML file in UTF-8") from error
