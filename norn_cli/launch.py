"""The only module of the CLI that starts processes: commands run the server's programs and never import them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from norn_cli.errors import CliError

# One package of each extra that `norn up` needs. They are only searched for, not imported.
_SERVER_PARTS = ("flask", "celery", "sqlalchemy", "docker", "supervisor")
_PAGE = """<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0;url={0}">
<a href="{0}">Norn</a>
"""


def embedded(arguments: Sequence[str], *, elsewhere: str = "") -> NoReturn:
    """Replaces this process with `python -m norn_tasks.embedded …`, which starts, stops and inspects the server here.

    `elsewhere`: the equivalent command for a server in docker-compose, which the hint names if no server is installed
    here.
    """
    missing = [part for part in _SERVER_PARTS if find_spec(part) is None]
    if missing:
        raise CliError(
            f"this installation of norn has no server in it ({', '.join(missing)} missing)",
            hint="pip install '.[server]' in a checkout of Norn"
            + (f"; for a server in docker-compose: {elsewhere}" if elsewhere else ""),
        )
    _become("norn_tasks.embedded", arguments)


def output_of_embedded(arguments: Sequence[str]) -> str:
    """Runs `python -m norn_tasks.embedded …` to its end and returns its output; empty if it failed."""
    if any(find_spec(part) is None for part in _SERVER_PARTS):
        return ""
    argv = [sys.executable, "-P", "-m", "norn_tasks.embedded", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
    return done.stdout if done.returncode == 0 else ""


def domain(arguments: Sequence[str]) -> NoReturn:
    """Replaces this process with `python -m norn_tasks.domain …`: it checks and writes infraspecs without a server."""
    _become("norn_tasks.domain", arguments)


def output(form: str) -> list[str]:
    """Returns the options with which `norn_tasks.domain` prints in this form."""
    return [] if form == "table" else ["--output", form]


def browse(url: str, *, secret: bool = False) -> None:
    """Opens a URL in the user's browser if there is a desktop.

    With `secret`, only this user may see the URL. Every account of the machine can read the arguments of a browser, so
    the browser opens a file that leads to the URL; raises CliError if the file cannot be written.
    """
    import webbrowser

    if sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(_page_to(url).as_uri() if secret else url)


def _page_to(url: str) -> Path:
    """Writes a page that leads to the URL and that only its owner can read; it replaces the previous page."""
    import html

    import platformdirs

    page = platformdirs.user_config_path("norn") / "ui.html"
    draft = page.with_suffix(f".{os.getpid()}")
    try:
        page.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(_PAGE.format(html.escape(url, quote=True)))
        draft.replace(page)
    except OSError as error:
        raise CliError(
            f"the browser was not opened: {page} cannot be written: {error.strerror}",
            hint="open the URL above yourself",
        ) from error
    return page


def _become(module: str, arguments: Sequence[str]) -> NoReturn:
    # The new program replaces this process, so that the new program gets the signals and the terminal, and its exit
    # status is that of the command. -P keeps Python from importing modules that happen to be in the current directory.
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", module, *arguments])  # noqa: S606 - no shell is wanted
