"""`norn restart`: replaces an app's containers by new ones of the same release."""

from __future__ import annotations

import click

from norn_cli.following import work
from norn_cli.options import WaitOptions, app_argument, work_options
from norn_cli.options import command as norn_command
from norn_cli.session import Session, pass_session


@norn_command("restart")
@app_argument
@click.option(
    "--now", is_flag=True, help="Also end open connections, such as WebSockets, and containers kept for them."
)
@work_options
@pass_session
def command(session: Session, app: str | None, now: bool, waiting: WaitOptions) -> None:
    """Replaces an app's containers by new ones of the same release, one after the other."""
    body = {"now": True} if now else {}
    work.see_through(session, session.client.work(session.app(app), "restart", body), waiting)
