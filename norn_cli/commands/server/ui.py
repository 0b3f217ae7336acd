"""`norn ui`: opens Norn's page in a browser, signed in."""

from __future__ import annotations

import sys

from norn_cli import launch
from norn_cli.options import command as norn_command
from norn_cli.session import Session, pass_session


@norn_command("ui")
@pass_session
def command(session: Session) -> None:
    """Prints the URL of Norn's page, and opens it in the browser when typed at a terminal.

    Within a minute, the URL can sign one browser in, with the token of this command. The browser reads the URL from a
    file that only you can read, because other users of the machine can see a browser's arguments.
    """
    code = session.client.create_sign_in_code()["code"]
    url = session.client.profile.url.rstrip("/") + "/" + (f"#code={code}" if code else "")
    session.output.data({"url": url}, lambda: session.output.line(url), [url])
    if code:
        session.output.hint("it signs one browser in, within a minute; norn session list shows who is signed in")
    if sys.stdout.isatty():
        launch.browse(url, secret=bool(code))
