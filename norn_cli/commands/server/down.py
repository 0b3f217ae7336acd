"""`norn down`: stops the server that `norn up` started."""

from __future__ import annotations

import click

from norn_cli import launch
from norn_cli.options import command as norn_command
from norn_cli.options import forms


@norn_command("down")
@click.option("--all", "everything", is_flag=True, help="Stop the router too: the apps' addresses no longer respond.")
@forms(because="it prints its progress for people")
def command(everything: bool) -> None:
    """Stops the server that norn up started on this machine.

    Apps keep running, and the router keeps their addresses open until the next norn up, unless --all is given.
    """
    launch.embedded(["down", *(["--all"] if everything else [])])
