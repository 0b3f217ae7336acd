"""`norn restore`: restores the control plane of this machine from its backup."""

from __future__ import annotations

from pathlib import Path

import click

from norn_cli import launch
from norn_cli.options import command as norn_command
from norn_cli.options import forms


@norn_command("restore")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Move existing data aside first.")
@forms(because="it prints its progress for people")
def command(file: Path, replace: bool) -> None:
    """Restores the control plane from FILE into an empty data directory; norn up then starts it.

    The control plane keeps its name, so that it finds its containers on the same engine. Apps serve during the restore.
    """
    launch.embedded(["restore", *(["--replace"] if replace else []), "--", str(file)])
