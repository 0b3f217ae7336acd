"""`norn validate`: an infraspec's mistakes, all at once, without a server."""

from __future__ import annotations

import click

from norn_cli import launch
from norn_cli.options import PASSED_ON
from norn_cli.options import command as norn_command


@norn_command("validate", context_settings=PASSED_ON)
@click.argument("arguments", nargs=-1, metavar="[FILE|DIR]")
def command(arguments: tuple[str, ...]) -> None:
    """Checks an infraspec and prints its mistakes as file:line:col; no server is asked."""
    launch.domain(["validate", *arguments])
