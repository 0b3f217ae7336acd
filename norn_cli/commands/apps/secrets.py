"""`norn secrets`: manages the secrets of an app: values that its containers get, and that nobody can read again."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from norn_cli import secret_files
from norn_cli.answers import Json
from norn_cli.display.tables import SECRETS
from norn_cli.dotenv import parsed
from norn_cli.errors import CliError, Refused, Usage
from norn_cli.options import app_argument, commands
from norn_cli.project import SPEC_FILE, app_of, read_spec
from norn_cli.session import Session, pass_session
from norn_cli.uploads.applying import apply_file

_APP = re.compile(r"[a-z][a-z0-9-]*")
_HIDDEN_FROM = 6
"""The server hides a value in logs only if it has at least this many bytes."""


@commands("secrets")
def command() -> None:
    """Sets, unsets and lists an app's secrets, from values or encrypted files; no value is ever shown."""


for each in (
    secret_files.import_secrets,
    secret_files.export_secrets,
    secret_files.server_key,
    secret_files.rotate_key,
):
    command.add_command(each)


@command.command("list")
@app_argument
@pass_session
def list_secrets(session: Session, app: str | None) -> None:
    """Lists an app's secrets: version, who set it, whether the infraspec names it, whether it is missing."""
    session.output.page(session.client.secrets(session.app(app)), SECRETS, "name")


@command.command("set")
@click.argument("words", metavar="[APP] [NAME[=VALUE]|NAME -]...", nargs=-1)
@click.option("--from-file", "file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Set the variables of a .env file.")  # fmt: skip
@pass_session
def set_secrets(session: Session, words: tuple[str, ...], file: Path | None) -> None:
    """Sets secrets. NAME alone asks for the value, without showing it; NAME - reads it from stdin.

    NAME=VALUE is for values that may appear in the process list and in the shell's history.
    """
    app, items = _app_first(words)
    name = session.app(app)
    values = {**(_of_file(file) if file is not None else {}), **_given(session, items)}
    if not values:
        raise Usage("nothing to set", hint=f"norn secrets set {name} API_KEY, or --from-file .env")
    answer = _set(session, name, values)
    session.output.data(answer, lambda: _print_set(session, answer, values), list(values))
    _print_hints(session, name, answer, values)


def _set(session: Session, app: str, values: dict[str, str]) -> Json:
    """Sets secrets; an app that is new is registered first, if its infraspec is in the current directory."""
    try:
        return session.client.set_secrets(app, values)
    except Refused as error:
        here = Path(SPEC_FILE)
        if error.word != "app_not_found" or not here.is_file() or app_of(read_spec(here)) != app:
            raise
        apply_file(session, here)
        session.output.say(f"note: {app} was new, and is registered now with {here}")
        return session.client.set_secrets(app, values)


@command.command("unset")
@click.argument("words", metavar="[APP] NAME...", nargs=-1, required=True)
@pass_session
def unset_secrets(session: Session, words: tuple[str, ...]) -> None:
    """Removes secrets."""
    app, names = _app_first(words)
    name = session.app(app)
    if not names:
        raise Usage("which secret?", hint=f"norn secrets list {name}")
    for each in names:
        session.client.unset_secret(name, each)
    session.output.data({"unset": list(names)}, lambda: session.output.line(f"unset {', '.join(names)}"), names)
    still = [row["name"] for row in session.client.secrets(name)["items"] if row["missing"] and row["name"] in names]
    if still:
        session.output.hint(
            f"the infraspec names {', '.join(still)}: deploys fail, and so do runs and calls, until set"
        )


def _app_first(words: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """Separates the app from the secrets. The first word is the app if it can be an app's name and is not followed by
    `-`.
    """
    if words and _APP.fullmatch(words[0]) and words[1:2] != ("-",):
        return words[0], tuple(words[1:])
    return None, tuple(words)


def _of_file(file: Path) -> dict[str, str]:
    try:
        return parsed(file.read_text("utf-8"), str(file))
    except OSError as error:
        raise CliError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CliError(f"{file} is not UTF-8 text", hint="save it as UTF-8") from error


def _given(session: Session, items: Sequence[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    place = 0
    while place < len(items):
        name, equals, value = items[place].partition("=")
        place += 1
        if name == "-" or not name:
            raise Usage("a value without a name", hint="norn secrets set blog API_KEY - reads API_KEY from stdin")
        if equals and value != "-":
            values[name] = value
        elif equals or items[place : place + 1] == ("-",):
            place += not equals
            values[name] = _from_stdin(name)
        else:
            values[name] = _asked(session, name)
    return values


def _from_stdin(name: str) -> str:
    """Reads all of stdin, without the final line end that echo and most files add."""
    try:
        return sys.stdin.buffer.read().decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise Usage(f"{name}: stdin is not UTF-8 text", hint="encode binary values, for instance as base64") from None


def _asked(session: Session, name: str) -> str:
    if not sys.stdin.isatty():
        return _from_stdin(name)
    from getpass import getpass

    try:
        return getpass(f"{name}: ", stream=sys.stderr)
    except EOFError:
        raise Usage(f"no value for {name} was typed", hint="nothing was set") from None


def _print_set(session: Session, answer: Json, values: Json) -> None:
    for row in answer["items"]:
        if row["name"] in values:
            session.output.line(f"{row['name']} is set, version {row['version']}")


def _print_hints(session: Session, app: str, answer: Json, values: dict[str, str]) -> None:
    unnamed = [row["name"] for row in answer["items"] if row["name"] in values and not row["named"]]
    short = [name for name, value in values.items() if len(value.encode()) < _HIDDEN_FROM]
    if unnamed:
        session.output.hint(f"name it in infraspec.yaml, or no container gets it: secrets: [{', '.join(unnamed)}]")
    if short:
        session.output.hint(f"shorter than {_HIDDEN_FROM} bytes, so not hidden in logs: {', '.join(short)}")
    if not unnamed:
        session.output.hint(f"live with the next norn deploy {app} or norn restart {app}; for runs and calls at once")
