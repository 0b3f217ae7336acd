"""`norn open`: prints and opens an app's URL."""

from __future__ import annotations

import sys

from norn_cli import launch
from norn_cli.errors import CliError
from norn_cli.options import app_argument
from norn_cli.options import command as norn_command
from norn_cli.session import Session, pass_session


@norn_command("open")
@app_argument
@pass_session
def command(session: Session, app: str | None) -> None:
    """Prints an app's URL, and opens it in the browser when typed at a terminal."""
    found = session.client.app(session.app(app))
    url = str(found.get("url") or "")
    if not url.startswith(("http://", "https://")):
        about = f"its role is {found['role'] or 'unknown'}, its state is {found['state']}"
        raise CliError(f"{found['name']} has no URL: {about}", hint=f"norn status {found['name']}")
    session.output.record(found, [("url", url)], url) if not session.output.for_people else session.output.line(url)
    if sys.stdout.isatty():
        launch.browse(url)
