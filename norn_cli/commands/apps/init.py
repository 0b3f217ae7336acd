"""`norn init`: writes an infraspec.yaml to start from."""

from __future__ import annotations

from pathlib import Path

import click

from norn_cli import launch
from norn_cli.errors import Usage
from norn_cli.options import ROLES, forms
from norn_cli.options import command as norn_command
from norn_cli.project import checked_name
from norn_cli.session import Session, pass_session


@norn_command("init")
@click.argument("directory", default=".", type=click.Path(file_okay=False, path_type=Path), metavar="[DIR]")
@click.option("--role", type=click.Choice(ROLES), default="webserver", show_default=True, help="Role of the app.")
@forms(because="it prints its progress for people")
@pass_session
def command(session: Session, directory: Path, role: str) -> None:
    """Writes an infraspec.yaml, and a Dockerfile if there is none; existing files are never overwritten.

    It recognises node, Python, Go, Ruby, PHP and static pages, and writes the Dockerfile and the port for them.

    The app has the directory's name unless --app gives another.
    """
    name = session.app_option or _name_of(directory)
    launch.domain(["init", "--role", role, "--app", name, f"--dir={directory}"])


def _name_of(directory: Path) -> str:
    try:
        return checked_name(directory.resolve().name)
    except Usage as error:
        raise Usage(f"no app can have the name of its directory: {error.sentence}", hint="--app NAME") from error
