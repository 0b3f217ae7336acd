"""`norn init`: an infraspec.yaml to start from."""

from __future__ import annotations

from pathlib import Path

import click

from norn_cli import launch
from norn_cli.errors import Usage
from norn_cli.options import command as norn_command
from norn_cli.options import forms
from norn_cli.project import checked_name
from norn_cli.session import Session, pass_session

_ROLES = ["webserver", "worker", "cron", "function"]


@norn_command("init")
@click.argument("directory", default=".", type=click.Path(file_okay=False, path_type=Path), metavar="[DIR]")
@click.option("--role", type=click.Choice(_ROLES), default="webserver", show_default=True, help="What the app is.")
@forms(because="it tells people what it does")
@pass_session
def command(session: Session, directory: Path, role: str) -> None:
    """Writes an infraspec.yaml, and a Dockerfile if there is none; never over what is there.

    The app is called like the directory, unless --app says otherwise.
    """
    name = session.app_option or _name_of(directory)
    launch.domain(["init", "--role", role, "--app", name, f"--dir={directory}"])


def _name_of(directory: Path) -> str:
    try:
        return checked_name(directory.resolve().name)
    except Usage as error:
        raise Usage(f"no app can be called like its directory: {error.sentence}", hint="--app NAME") from error
