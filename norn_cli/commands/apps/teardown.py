"""`norn teardown`: removes what forge made."""

from __future__ import annotations

import click

from norn_cli.confirm import confirm
from norn_cli.following import work
from norn_cli.options import WaitOptions, app_argument, confirm_option, work_options
from norn_cli.options import command as norn_command
from norn_cli.session import Session, pass_session


@norn_command("teardown")
@app_argument
@click.option("--purge", is_flag=True, help="Remove volumes, databases, snapshots, images and log lines too.")
@confirm_option
@work_options
@pass_session
def command(session: Session, app: str | None, purge: bool, confirm_name: str | None, waiting: WaitOptions) -> None:
    """Removes what forge made, and says what it keeps: volumes, databases, snapshots."""
    name = session.app(app)
    confirm(session.output, name, confirm_name, f"This stops {name} and removes its infrastructure.")
    work.see_through(session, session.client.work(name, "teardown", {"purge": purge}), waiting)
