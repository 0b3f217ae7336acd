"""`norn apply`: registers an infraspec with the server; nothing is started."""

from __future__ import annotations

from pathlib import Path

import click

from norn_cli.answers import Json
from norn_cli.display.output import Output
from norn_cli.options import command as norn_command
from norn_cli.project import spec_paths
from norn_cli.session import Session, pass_session
from norn_cli.uploads.applying import apply_file


@norn_command("apply")
@click.argument("path", required=False, type=click.Path(path_type=Path), metavar="[FILE|DIR]")
@pass_session
def command(session: Session, path: Path | None) -> None:
    """Registers an infraspec with the server: a file, or all infraspecs of a directory."""
    apps = [apply_file(session, file) for file in spec_paths(path, session.app_option)]
    output = session.output
    answer = apps[0] if len(apps) == 1 else {"items": apps}
    output.data(answer, lambda: _print(output, apps), [app["name"] for app in apps])
    for app in apps:
        for notice in app.get("notices") or []:
            output.say(f"note: {notice}")
        if (app.get("forge") or {}).get("state") == "unforged":
            output.hint(f"norn forge {app['name']}")


def _print(output: Output, apps: list[Json]) -> None:
    for app in apps:
        output.line(f"{app['name']} is applied: {app['role']}, {app['state']}")
