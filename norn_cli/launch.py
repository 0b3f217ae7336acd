"""The only place that starts processes: `norn up` and its like run the server side by command line, never by import."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import NoReturn

from norn_cli.errors import CliError

# One distribution of each extra that `norn up` needs; looked for, not imported.
_SERVER_PARTS = ("flask", "celery", "sqlalchemy", "docker", "supervisor")


def embedded(arguments: Sequence[str], *, elsewhere: str = "") -> NoReturn:
    """Becomes `python -m norn_tasks.embedded …`: start, stop and look at the server on this machine.

    `elsewhere`: what to type when the server is none of `norn up`, told where that cannot be asked.
    """
    missing = [part for part in _SERVER_PARTS if find_spec(part) is None]
    if missing:
        raise CliError(
            f"this installation of norn has no server in it ({', '.join(missing)} missing)",
            hint="pip install '.[server]' in a checkout of Norn"
            + (f"; of a server in docker-compose: {elsewhere}" if elsewhere else ""),
        )
    _become("norn_tasks.embedded", arguments)


def told_by_embedded(arguments: Sequence[str]) -> str:
    """Runs `python -m norn_tasks.embedded …` to its end and answers what it printed; empty when it failed."""
    if any(find_spec(part) is None for part in _SERVER_PARTS):
        return ""
    argv = [sys.executable, "-P", "-m", "norn_tasks.embedded", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
    return done.stdout if done.returncode == 0 else ""


def domain(arguments: Sequence[str]) -> NoReturn:
    """Becomes `python -m norn_tasks.domain …`: check and write infraspecs, without a server."""
    _become("norn_tasks.domain", arguments)


def output(form: str) -> list[str]:
    """Answers the words that ask `norn_tasks.domain` for this form of its output."""
    return [] if form == "table" else ["--output", form]


def browse(url: str) -> None:
    """Opens a URL in the user's browser, when there is a desktop to open it on."""
    import webbrowser

    if sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(url)


def _become(module: str, arguments: Sequence[str]) -> NoReturn:
    # In this process's place: signals, terminal and exit status are the new one's own. -P keeps Python from importing
    # what happens to lie in the current directory.
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", module, *arguments])  # noqa: S606 - no shell is wanted
