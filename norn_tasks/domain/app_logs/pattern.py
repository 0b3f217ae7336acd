"""Regular expressions with which people search log lines, in the syntax of RE2.

RE2 needs time in proportion to the text, so a user's expression cannot block a process, as it could with Python's `re`.
"""

from __future__ import annotations

from typing import Any

from norn_tasks.domain.errors import InvalidRequest

SYNTAX = "write it as for grep -E, where \\d and \\b work too; put \\ before a special character to search for it"


def compiled(expression: str, flags: str = "") -> Any:
    """Returns a compiled expression over bytes; raises InvalidRequest, which names the field `grep`.

    The expression cannot match a line end, unless it contains `\\C`.
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
