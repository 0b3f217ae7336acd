"""`norn backup`: the control plane of this machine, in one file."""

from __future__ import annotations

from pathlib import Path

import click

from norn_cli import launch
from norn_cli.options import command as norn_command
from norn_cli.options import forms


@norn_command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@forms(because="it tells people what it does")
def command(file: Path) -> None:
    """Writes the control plane into FILE while it runs: its database and its keys, readable by you alone.

    Images, containers and volumes stay with the engine. norn restore brings the file back.
    """
    launch.embedded(["backup", "--", str(file)])
