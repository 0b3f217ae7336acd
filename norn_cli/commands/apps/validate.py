"""`norn validate`: prints an infraspec's mistakes, all at once, without a server."""

from __future__ import annotations

import click

from norn_cli import launch
from norn_cli.options import command as norn_command
from norn_cli.session import Session, pass_session


@norn_command("validate")
@click.argument("paths", nargs=-1, metavar="[FILE|DIR]...")
@pass_session
def command(session: Session, paths: tuple[str, ...]) -> None:
    """Checks infraspecs and prints every mistake as file:line:col; it needs no server."""
    launch.domain(["validate", *launch.output(session.form), "--", *(paths or (".",))])
