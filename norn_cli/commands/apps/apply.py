"""`norn apply`: registers an infraspec with the server; nothing is started."""

from __future__ import annotations

from pathlib import Path

import click

from norn_cli.options import command as norn_command
from norn_cli.project import spec_path
from norn_cli.session import Session, pass_session
from norn_cli.uploads.applying import apply_file


@norn_command("apply")
@click.argument("path", required=False, type=click.Path(path_type=Path), metavar="[FILE|DIR]")
@pass_session
def command(session: Session, path: Path | None) -> None:
    """Registers an infraspec with the server: a file, or the infraspec.yaml of a directory."""
    app = apply_file(session, spec_path(path))
    output = session.output
    output.data(app, lambda: output.line(f"{app['name']} is applied: {app['role']}, {app['state']}"), [app["name"]])
    for notice in app.get("notices") or []:
        output.say(f"note: {notice}")
    if (app.get("forge") or {}).get("state") == "unforged":
        output.hint(f"norn forge {app['name']}")
