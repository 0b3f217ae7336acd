"""Asks before something is lost: the user types the name of what goes, or gave it by `--confirm`."""

from __future__ import annotations

import sys

from norn_cli.errors import Usage
from norn_cli.output import Output


def confirm(output: Output, name: str, given: str | None, consequence: str) -> None:
    """Returns when the user confirmed; raises Usage, and nothing was done, when not.

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
