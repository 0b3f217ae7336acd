"""`norn init`: an infraspec.yaml to start from."""

from __future__ import annotations

import click

from norn_cli import launch
from norn_cli.options import PASSED_ON
from norn_cli.options import command as norn_command


@norn_command("init", context_settings=PASSED_ON)
@click.argument("arguments", nargs=-1, metavar="[DIR]")
def command(arguments: tuple[str, ...]) -> None:
    """Writes an infraspec.yaml to start from; never over one that is there."""
    launch.domain(["init", *arguments])
