"""Prints a note when `norn deploy NAME` runs next to the app's infraspec but deploys other files than those in this
directory.
"""

from __future__ import annotations

from pathlib import Path

from norn_cli.answers import Json
from norn_cli.display.styles import Style, Styled
from norn_cli.errors import CliError
from norn_cli.project import app_of, is_path, read_spec, spec_files
from norn_cli.session import Session
from norn_cli.uploads import uploading


def note_source(session: Session, app: str) -> None:
    """Prints which files are deployed, and how to deploy the local directory instead. Prints nothing if there is no
    infraspec of the app here, or if the server reads this same directory.
    """
    file = _spec_of(app)
    known = uploading.known(session, app) if file is not None else None
    if file is None or known is None or _same(session, file.parent, known):
        return
    what = _deployed(known)
    if what:
        session.output.say(Styled("note: ", Style.CARE), f"this deploys {what}; {_instead(session, file)}")


def _spec_of(app: str) -> Path | None:
    """Returns the app's infraspec in the current directory, or in its subdirectory that has the app's name."""
    return next((file for place in (Path(), Path(app)) for file in spec_files(place) if _names(file, app)), None)


def _names(file: Path, app: str) -> bool:
    try:
        return file.is_file() and app_of(read_spec(file)) == app
    except CliError:
        return False


def _same(session: Session, here: Path, known: Json) -> bool:
    """Returns True if the server reads the app's files from this same directory."""
    if known.get("source") != "directory" or not session.profile.loopback:
        return False
    return Path(str(known.get("origin"))).resolve() == here.resolve()


def _deployed(known: Json) -> str:
    """Returns where the deployed files come from; empty for an app without a source, whose deploy the server
    refuses.
    """
    source, origin = known.get("source"), known.get("origin")
    if source == "upload":
        return f"what was uploaded last, {(known.get('upload') or {}).get('revision')}"
    words = {
        "git": f"what was pushed to {origin}", "directory": f"{origin}, which the server reads",
        "image": f"the image {origin}",
    }  # fmt: skip
    return words.get(str(source), "")


def _instead(session: Session, file: Path) -> str:
    local, here = uploading.local(session, file), file.parent
    if local.of_repository:
        return "what is changed here must be pushed first"
    word = str(here) if is_path(str(here)) else f"./{here}"
    return f"norn deploy {word} {'applies the local infraspec' if local.of_image else 'uploads the local directory'}"
