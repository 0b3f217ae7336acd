"""`norn destroy`: tears an app down, then removes it from the server."""

from __future__ import annotations

import click

from norn_cli.confirm import confirm
from norn_cli.display.styles import Style, Styled
from norn_cli.errors import Refused
from norn_cli.following import work
from norn_cli.options import WaitOptions, app_argument, confirm_option
from norn_cli.options import command as norn_command
from norn_cli.session import Session, pass_session

_NOTHING_STANDS = ("not_forged", "spec_invalid")
"""The codes with which a teardown is refused if there is nothing to tear down. `spec_invalid` is one of them: the
server refuses a teardown for a broken infraspec only if the app is not registered, and then forge has made nothing.
"""


@norn_command("destroy")
@app_argument
@click.option("--purge", is_flag=True, help="Remove volumes, databases, snapshots, images and log lines too.")
@confirm_option
@click.option("-v", "--verbose", is_flag=True, help="Show what the steps write, as they write it.")
@pass_session
def command(session: Session, app: str | None, purge: bool, confirm_name: str | None, verbose: bool) -> None:
    """Tears an app down and removes it from the server, with its secrets and uploads.

    A directory of NORN_APPS_DIR is not touched: its app stays listed, as not forged.
    """
    name = session.app(app)
    directory = session.client.app(name).get("directory")  # reports a wrong name before asking for confirmation
    confirm(session.output, name, confirm_name, _consequence(name, directory))
    _tear_down(session, name, purge, WaitOptions(verbose=verbose))
    session.client.remove(name)
    session.output.record({"destroyed": name}, [("destroyed", name)], name)
    if directory:
        stays = f"{directory} is still there: {name} stays listed, as not forged, until you remove it"
        session.output.say(Styled("note: ", Style.CARE), stays)


def _consequence(name: str, directory: str | None) -> str:
    if not directory:
        return f"This stops {name}, removes its infrastructure and forgets it."
    return (
        f"This stops {name}, removes its infrastructure and forgets its secrets and uploads. Its directory {directory} "
        f"is left as it is, and {name} stays listed, as not forged."
    )


def _tear_down(session: Session, name: str, purge: bool, waiting: WaitOptions) -> None:
    try:
        accepted = session.client.work(name, "teardown", {"purge": purge})
    except Refused as error:
        if error.word not in _NOTHING_STANDS:
            raise
        return
    work.raise_if_failed(session.client, work.wait(session, accepted["job"], waiting))
