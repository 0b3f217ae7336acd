"""Asks before something is lost: the user types the name of the thing, or gives the name with `--confirm`."""

from __future__ import annotations

import sys

from norn_cli.display.output import Output
from norn_cli.errors import Usage


def confirm(output: Output, name: str, given: str | None, consequence: str) -> None:
    """Returns if the user confirms; otherwise raises Usage before anything is done.

    `given` is the value of `--confirm`; without it the name is asked for on a terminal.
    """
    if given is None and sys.stdin.isatty():
        output.say(consequence)
        output.ask(f"Type {name} to go on: ")
        given = sys.stdin.readline().strip()
    if given is None:
        raise Usage(f"this needs to be confirmed: {consequence}", hint=f"add --confirm {name}")
    if given != name:
        raise Usage(f"nothing was done: {given!r} is not {name!r}", hint=f"--confirm {name}")
