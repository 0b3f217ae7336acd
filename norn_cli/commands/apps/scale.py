"""`norn scale`: sets the number of replicas, until it is reset or the spec's number changes."""

from __future__ import annotations

from typing import Any

import click

from norn_cli.errors import Usage
from norn_cli.following import work
from norn_cli.options import WaitOptions, app_argument, work_options
from norn_cli.options import command as norn_command
from norn_cli.session import Session, pass_session


@norn_command("scale")
@app_argument
@click.argument("replicas", required=False)
@click.option("--reset", is_flag=True, help="Return to the number in the infraspec.")
@work_options
@pass_session
def command(session: Session, app: str | None, replicas: str | None, reset: bool, waiting: WaitOptions) -> None:
    """Sets the number of replicas. It survives deploys; --reset returns to the spec's number."""
    if app and app.isdigit() and replicas is None:  # no app has a number as its name
        app, replicas = None, app
    body = _body(replicas, reset)
    work.see_through(session, session.client.work(session.app(app), "scale", body), waiting)


def _body(replicas: str | None, reset: bool) -> dict[str, Any]:
    if reset == (replicas is not None):
        raise Usage("scale takes a number of replicas or --reset", hint="norn scale blog 2")
    if reset:
        return {"reset": True}
    if not str(replicas).isdigit():
        raise Usage(f"{replicas!r} is not a number of replicas", hint="norn scale blog 2")
    return {"replicas": int(str(replicas))}
