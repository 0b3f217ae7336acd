"""`norn apply`: makes an infraspec known to the server; nothing runs because of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from norn_cli.errors import Refused, Usage
from norn_cli.options import command as norn_command
from norn_cli.project import app_of, checked_name, read_spec, spec_path
from norn_cli.session import Session, pass_session

Json = dict[str, Any]


@norn_command("apply")
@click.argument("path", required=False, type=click.Path(path_type=Path), metavar="[FILE|DIR]")
@pass_session
def command(session: Session, path: Path | None) -> None:
    """Makes an infraspec known to the server: a file, or the infraspec.yaml of a directory."""
    file = spec_path(path)
    spec = read_spec(file)
    try:
        app = session.client.apply(_name(session, file, spec), spec)
    except Refused as error:
        raise _with_file(error, file) from error
    output = session.output
    output.data(app, lambda: output.line(f"{app['name']} is applied: {app['role']}, {app['state']}"), [app["name"]])
    for notice in app.get("notices") or []:
        output.say(f"note: {notice}")
    if (app.get("forge") or {}).get("state") == "unforged":
        output.hint(f"norn forge {app['name']}")


def _name(session: Session, file: Path, spec: str) -> str:
    name = app_of(spec)
    if not name:
        # Without a name there is no address to put it to; the server says what is wrong with it all the same.
        answer = session.client.validate(spec, str(file))
        raise _with_file(Refused(422, {"code": "spec_invalid", "detail": f"{file} names no app", **answer}), file)
    if session.app_option and session.app_option != name:
        raise Usage(f"{file} is the infraspec of {name}, not of {session.app_option}", hint="leave --app away")
    return checked_name(name)


def _with_file(error: Refused, file: Path) -> Refused:
    """Answers the same refusal with the path that was typed in each mistake's place."""
    mistakes = [{**mistake, "file": str(file)} for mistake in error.problem.get("mistakes") or []]
    return Refused(error.status, {**error.problem, "mistakes": mistakes})
