"""`norn down`: the end of the server that `norn up` started."""

from __future__ import annotations

from norn_cli import launch
from norn_cli.options import command as norn_command
from norn_cli.options import forms


@norn_command("down")
@forms(because="it tells people what it does")
def command() -> None:
    """Stops the server that norn up started on this machine."""
    launch.embedded(["down"])
