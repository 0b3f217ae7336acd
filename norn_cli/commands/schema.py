"""`norn schema`: the JSON Schema of infraspec.yaml."""

from __future__ import annotations

from norn_cli import launch
from norn_cli.options import command as norn_command


@norn_command("schema")
def command() -> None:
    """Prints the JSON Schema of infraspec.yaml, for editors."""
    launch.domain(["schema"])
