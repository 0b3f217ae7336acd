"""`norn restore`: the control plane of this machine, back from its backup."""

from __future__ import annotations

from pathlib import Path

import click

from norn_cli import launch
from norn_cli.options import command as norn_command
from norn_cli.options import forms


@norn_command("restore")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Put aside what is there already.")
@forms(because="it tells people what it does")
def command(file: Path, replace: bool) -> None:
    """Puts the control plane of FILE into an empty data directory; norn up then starts it.

    It keeps its name, so that on the same engine it finds its containers, and apps serve on meanwhile.
    """
    launch.embedded(["restore", *(["--replace"] if replace else []), "--", str(file)])
