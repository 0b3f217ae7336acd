"""`norn validate`: prints all mistakes of an infraspec; with `--server` also secrets that are missing on the server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from norn_cli import launch
from norn_cli.answers import Json
from norn_cli.errors import Refused, Usage
from norn_cli.options import command as norn_command
from norn_cli.project import read_spec, spec_paths
from norn_cli.session import Session, pass_session
from norn_cli.uploads.applying import mistakes_of, name_of


@norn_command("validate")
@click.argument("paths", nargs=-1, metavar="[FILE|DIR]...")
@click.option("--server", is_flag=True, help="Also ask the server which secrets are missing, and which are not used.")
@pass_session
def command(session: Session, paths: tuple[str, ...], server: bool) -> int:
    """Checks infraspecs and prints every mistake as file:line:col; without --server it needs no server.

    In a directory, all infraspecs are checked. With --server the command also names secrets that are not set, which
    would make a deploy fail, and exits with 1 if there are any.
    """
    if not server:
        launch.domain(["validate", *launch.output(session.form), "--", *(paths or (".",))])
    if len(paths) > 1:
        raise Usage("--server checks one file or directory at a time", hint="norn validate --server FILE")
    files = spec_paths(Path(paths[0]) if paths else None, session.app_option)
    answers = {file: _answer(session, file) for file in files}
    shown = answers[files[0]] if len(files) == 1 else {"items": list(answers.values())}
    session.output.data(shown, lambda: _print_all(session, answers), map(str, files))
    return 1 if any(answer["secrets"]["missing"] for answer in answers.values()) else 0


def _answer(session: Session, file: Path) -> Json:
    """Returns the server's answer about a valid infraspec; raises Refused with the mistakes of an invalid one."""
    spec = read_spec(file)
    with mistakes_of(file):
        name = name_of(session, file, spec)
        answer = session.client.validate_for(name, spec, str(file))
        if not answer["valid"]:
            raise Refused(422, {"code": "spec_invalid", "detail": f"{file} has mistakes", **answer})
    return answer


def _print_all(session: Session, answers: Mapping[Path, Json]) -> None:
    for file, answer in answers.items():
        _print(session, file, answer)


def _print(session: Session, file: Path, answer: Json) -> None:
    output, found = session.output, answer["secrets"]
    app = answer["spec"]["app"]
    output.line(f"{file}: valid")
    for notice in answer["notices"]:
        output.hint(notice)
    if found["missing"]:
        output.line(f"{file}: not set on the server: {', '.join(found['missing'])}")
        output.hint(f"norn secrets set {app} {' '.join(found['missing'])}")
    if found["unused"]:
        output.line(f"{file}: set, but not used: {', '.join(found['unused'])}")
        output.hint(f"norn secrets unset {app} {' '.join(found['unused'])}, or name them in secrets:")
