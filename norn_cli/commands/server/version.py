"""`norn version`: prints the versions of this command and of the server."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from norn_cli.errors import CliError
from norn_cli.options import command as norn_command
from norn_cli.session import Session, pass_session


def own_version() -> str:
    """Returns the version of the installed norn; `0+source` when it runs from a checkout."""
    try:
        return version("norn")
    except PackageNotFoundError:
        return "0+source"


@norn_command("version")
@pass_session
def command(session: Session) -> None:
    """Prints the versions of this command and of the server.

    A server that does not respond is noted, and is not an error.
    """
    try:
        server = session.client.version()
    except CliError as error:
        session.output.say(error.sentence)
        server = {}
    facts = [("norn", own_version()), ("server", server.get("version")), ("commit", server.get("commit"))]
    session.output.record({"norn": own_version(), "server": server or None}, facts, own_version())
