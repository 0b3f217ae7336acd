"""Regular expressions with which people search lines: RE2's, whose time is linear in the text.

No expression that a user writes can hold up a process, as those of Python's `re` can.
"""

from __future__ import annotations

from typing import Any

from norn_tasks.domain.errors import InvalidRequest

SYNTAX = "it is RE2's syntax, as of grep -E with \\d and \\b; a \\ before a sign takes it as it is"


def compiled(expression: str, flags: str = "") -> Any:
    """Returns a compiled expression over bytes; raises InvalidRequest, which names the field `grep`.

    It never matches a line end, whatever it says, except by `\\C`.
    """
    import re2

    options = re2.Options()
    options.log_errors = False
    options.never_nl = True
    try:
        return re2.compile(f"{flags}{expression}".encode(), options)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise InvalidRequest(
            f"grep: this is not a regular expression: {text.replace(flags, '') if flags else text}", hint=SYNTAX
        ) from error
