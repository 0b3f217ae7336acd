"""The program that git calls for a user name and a password. It prints them from its environment.

So the token appears in no argument, URL or file. Only the user who runs git can read git's environment.
"""

from __future__ import annotations

from pathlib import Path

from norn_tasks.ports import GitLogin

_USER, _PASSWORD = "NORN_GIT_USER", "NORN_GIT_PASSWORD"
_PROGRAM = f"""#!/bin/sh
case "$1" in
Username*) printf '%s\\n' "${_USER}" ;;
*) printf '%s\\n' "${_PASSWORD}" ;;
esac
"""


def environment(scratch: Path, login: GitLogin) -> dict[str, str]:
    """Writes the program into a private directory, and returns the environment with which git uses it."""
    program = scratch / "askpass"
    program.write_text(_PROGRAM)
    program.chmod(0o700)
    return {"GIT_ASKPASS": str(program), _USER: login.username, _PASSWORD: login.token.reveal()}
