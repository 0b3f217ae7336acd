"""`norn destroy`: tears an app down, then forgets it."""

from __future__ import annotations

import click

from norn_cli import work
from norn_cli.confirm import confirm
from norn_cli.errors import Refused
from norn_cli.options import Waiting, app_argument, confirm_option
from norn_cli.options import command as norn_command
from norn_cli.session import Session, pass_session


@norn_command("destroy")
@app_argument
@click.option("--purge", is_flag=True, help="Remove volumes, databases and snapshots too.")
@confirm_option
@click.option("-v", "--verbose", is_flag=True, help="Show what the steps write, as they write it.")
@pass_session
def command(session: Session, app: str | None, purge: bool, confirm_name: str | None, verbose: bool) -> None:
    """Tears an app down and removes it from the server, with its history."""
    name = session.app(app)
    session.client.app(name)  # a name that is wrong is told before anything is asked
    confirm(session.output, name, confirm_name, f"This stops {name}, removes its infrastructure and forgets it.")
    _tear_down(session, name, purge, Waiting(verbose=verbose))
    session.client.remove(name)
    session.output.record({"destroyed": name}, [("destroyed", name)], name)


def _tear_down(session: Session, name: str, purge: bool, waiting: Waiting) -> None:
    try:
        accepted = session.client.work(name, "teardown", {"purge": purge})
    except Refused as error:
        if error.word != "not_forged":  # nothing of it stands: on to the row
            raise
        return
    work.raise_if_failed(session.client, work.wait(session, accepted["job"], waiting))
