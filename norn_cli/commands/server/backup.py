"""`norn backup`: saves the control plane of this machine into one file."""

from __future__ import annotations

from pathlib import Path

import click

from norn_cli import launch
from norn_cli.options import command as norn_command
from norn_cli.options import forms


@norn_command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--bodies", is_flag=True, help="Also save the requests and answers of calls that have ended.")
@forms(because="it prints its progress for people")
def command(file: Path, bodies: bool) -> None:
    """Writes the control plane into FILE while it runs: its database and its keys, readable by you alone.

    Images, containers and volumes stay with the engine. norn restore restores the file.
    """
    launch.embedded(["backup", *(["--bodies"] if bodies else []), "--", str(file)])
