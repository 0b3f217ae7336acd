"""The note of a deploy by name where the app's directory is at hand: which files are deployed instead of these."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from norn_cli import uploading
from norn_cli.errors import CliError
from norn_cli.output import Style, Styled
from norn_cli.project import SPEC_FILE, app_of, is_path, read_spec
from norn_cli.session import Session

Json = dict[str, Any]


def tell(session: Session, app: str) -> None:
    """Says what is deployed, and how the directory here would be; nothing where none holds this app's infraspec."""
    here = _directory_of(app)
    known = uploading.known(session, app) if here is not None else None
    if here is None or known is None or _same(session, here, known):
        return
    what = _deployed(known)
    if what:
        session.output.say(Styled("note: ", Style.CARE), f"this deploys {what}; {_instead(session, here)}")


def _directory_of(app: str) -> Path | None:
    """Answers the current directory, or the one below it of that name, whichever has the app's infraspec."""
    return next((place for place in (Path(), Path(app)) if _names(place / SPEC_FILE, app)), None)


def _names(file: Path, app: str) -> bool:
    try:
        return file.is_file() and app_of(read_spec(file)) == app
    except CliError:
        return False


def _same(session: Session, here: Path, known: Json) -> bool:
    """True when the server reads this very directory."""
    if known.get("source") != "directory" or not session.profile.loopback:
        return False
    return Path(str(known.get("origin"))).resolve() == here.resolve()


def _deployed(known: Json) -> str:
    """Answers where the files come from; empty when there is no source, which the server refuses itself."""
    source, origin = known.get("source"), known.get("origin")
    if source == "upload":
        return f"what was uploaded last, {(known.get('upload') or {}).get('revision')}"
    words = {"git": f"what was pushed to {origin}", "directory": f"{origin}, which the server reads"}
    return words.get(str(source), "")


def _instead(session: Session, here: Path) -> str:
    if uploading.local(session, here).of_repository:
        return "what is changed here must be pushed first"
    word = str(here) if is_path(str(here)) else f"./{here}"
    return f"norn deploy {word} uploads the directory here"
