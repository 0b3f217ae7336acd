"""`norn up`: a whole server on this machine."""

from __future__ import annotations

import click

from norn_cli import launch
from norn_cli.options import command as norn_command


@norn_command("up")
@click.option("--detach/--foreground", "detach", default=True, show_default=True,
              help="Return when the server is healthy, or stay with it until Ctrl-C.")  # fmt: skip
def command(detach: bool) -> None:
    """Starts a whole server on this machine: stores, API, workers, schedules, router.

    What the server reads from the environment is in docs/settings.md.
    """
    launch.embedded(["up", *(["--detach"] if detach else [])])
