"""`norn up`: starts a whole server on this machine."""

from __future__ import annotations

import click

from norn_cli import launch
from norn_cli.options import command as norn_command
from norn_cli.options import forms


@norn_command("up")
@click.option("--foreground", is_flag=True, help="Return only when the server is stopped, for systemd or a container.")
@forms(because="it prints its progress for people")
def command(foreground: bool) -> None:
    """Starts a whole server on this machine and returns when it is healthy: stores, API, workers, schedules, router.

    The variables that the server reads are in docs/settings.md.
    """
    launch.embedded(["up", *(["--foreground"] if foreground else [])])
