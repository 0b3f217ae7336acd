"""`norn schema`: prints the JSON Schema of infraspec.yaml."""

from __future__ import annotations

from norn_cli import launch
from norn_cli.display.formats import Format
from norn_cli.options import command as norn_command
from norn_cli.options import forms
from norn_cli.session import Session, pass_session


@norn_command("schema")
@forms(Format.JSON, Format.YAML, because="a schema has no name")
@pass_session
def command(session: Session) -> None:
    """Prints the JSON Schema of infraspec.yaml, for editors."""
    launch.domain(["schema", *launch.output(session.form)])
