"""`norn rollback`: goes back to a release that was live before."""

from __future__ import annotations

import click

from norn_cli.errors import Usage
from norn_cli.following import work
from norn_cli.options import WaitOptions, app_argument, work_options
from norn_cli.options import command as norn_command
from norn_cli.session import Session, pass_session


@norn_command("rollback")
@app_argument
@click.argument("release", required=False)
@work_options
@pass_session
def command(session: Session, app: str | None, release: str | None, waiting: WaitOptions) -> None:
    """Goes back to RELEASE (see norn releases), or without it to the release that was live before.

    Each further rollback goes back by one more release. To return to a release that a rollback replaced, name its
    number.
    """
    if app and app.isdigit() and release is None:  # no app has a number as its name
        app, release = None, app
    if release is not None and not release.isdigit():
        raise Usage(f"{release!r} is not the number of a release", hint="norn releases lists them")
    body = {"release": int(release) if release else None}
    work.see_through(session, session.client.work(session.app(app), "rollback", body), waiting)
