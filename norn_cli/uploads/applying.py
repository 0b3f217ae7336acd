"""Registers an infraspec with the server, under the name in its field `app`; its mistakes are reported with the path
that the user typed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from norn_cli.answers import Json
from norn_cli.errors import Refused, Usage
from norn_cli.project import app_of, checked_name, read_spec
from norn_cli.session import Session


def apply_file(session: Session, file: Path) -> Json:
    """Registers the infraspec with the server and returns the app; raises Refused with the file's path."""
    spec = read_spec(file)
    with mistakes_of(file):
        return session.client.apply(name_of(session, file, spec), spec)


@contextmanager
def mistakes_of(file: Path) -> Iterator[None]:
    """Raises a Refused of the block again, with the path that the user typed as the file of each mistake."""
    try:
        yield
    except Refused as error:
        raise _with_file(error, file) from error


def name_of(session: Session, file: Path, spec: str) -> str:
    """Returns the app that the infraspec names; raises Refused with all its mistakes if it names none, and Usage if
    `--app` names another app.
    """
    name = app_of(spec)
    if not name:
        # Without an app's name the infraspec cannot be registered, but the server can still report the mistakes in it.
        answer = session.client.validate(spec, str(file))
        raise _with_file(Refused(422, {"code": "spec_invalid", "detail": f"{file} names no app", **answer}), file)
    if session.app_option and session.app_option != name:
        raise Usage(
            f"{file} is the infraspec of {name}, not of {session.app_option}", hint="run the command without --app"
        )
    return checked_name(name)


def _with_file(error: Refused, file: Path) -> Refused:
    """Returns the same refusal with the typed path in each mistake."""
    mistakes = [{**mistake, "file": str(file)} for mistake in error.problem.get("mistakes") or []]
    return Refused(error.status, {**error.problem, "mistakes": mistakes})
