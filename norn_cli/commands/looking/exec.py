"""`norn exec`: runs a program inside a replica that serves."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from norn_cli.errors import Usage
from norn_cli.options import app_argument, command_with_another, forms, typed_command
from norn_cli.session import Session, pass_session


@command_with_another("exec")
@app_argument
@click.option("--replica", type=click.IntRange(min=1), metavar="N", help="Run it in this replica; the default is any.")
@click.option("-t/-T", "--tty/--no-tty", "tty", default=None, help="Run it with a terminal of its own, or without.")
@click.option("-i/-n", "--stdin/--no-stdin", "stdin", default=None, help="Run it with standard input, or without.")
@forms(because="it prints what the program writes")
@pass_session
def command(session: Session, app: str | None, replica: int | None, tty: bool | None, stdin: bool | None) -> int:
    """Runs a program inside a replica that serves, and ends with its exit status.

    If stdin and stdout are a terminal, the program gets a terminal of its own, which a shell needs; otherwise its input
    and output pass through unchanged. The program is stopped when this command ends.
    """
    from norn_cli.display import terminal
    from norn_cli.following.remote import Remote

    words = typed_command()
    if tty and not terminal.at_terminal():
        raise Usage("stdin and stdout are not a terminal", hint="leave -t out")
    with_tty = terminal.at_terminal() and stdin is not False if tty is None else tty
    body: dict[str, Any] = {"command": words, "replica": replica, "tty": with_tty}
    if with_tty:
        body |= {"term": os.environ.get("TERM", ""), "size": list(terminal.size())}
    accepted = session.client.execute(session.app(app), body)
    reads = (with_tty or not sys.stdin.isatty()) if stdin is None else stdin
    return Remote(session.client, session.output, accepted["job"], tty=with_tty, stdin=reads).to_its_end()
