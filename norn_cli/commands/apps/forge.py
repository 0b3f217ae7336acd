"""`norn forge`: makes an app's infrastructure."""

from __future__ import annotations

import click

from norn_cli.following import work
from norn_cli.options import WaitOptions, app_argument, work_options
from norn_cli.options import command as norn_command
from norn_cli.session import Session, pass_session


@norn_command("forge")
@app_argument
@click.option("--force", is_flag=True, help="Tear down first.")
@click.option(
    "--cluster", type=click.Choice(["docker", "kubernetes"]), help="Where it runs; moves an app to kubernetes."
)
@work_options
@pass_session
def command(session: Session, app: str | None, force: bool, cluster: str | None, waiting: WaitOptions) -> None:
    """Makes an app's infrastructure, or updates it to a changed infraspec."""
    asked = {"force": force} | ({"cluster": cluster} if cluster is not None else {})
    work.see_through(session, session.client.work(session.app(app), "forge", asked), waiting)
