"""`norn logs`: what an app has written; with `--server` what the server's own processes have."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import click

from norn_cli import launch
from norn_cli.errors import Unreachable, Usage
from norn_cli.follow import AWAY_SECONDS
from norn_cli.options import app_argument, forms, refuse_form
from norn_cli.options import command as norn_command
from norn_cli.output import Format
from norn_cli.session import Session, pass_session

_Read = Callable[..., Iterator[Any]]
_LONG_RUNNING = ("webserver", "worker")


@norn_command("logs")
@app_argument
@click.option("-f", "--follow", is_flag=True, help="Go on as it writes.")
@click.option("--tail", type=click.IntRange(0, 10_000), default=100, show_default=True, help="How many lines back.")
@click.option("--server", is_flag=False, flag_value="", metavar="[PROCESS]",
              help="The server's own processes instead, of norn up on this machine.")  # fmt: skip
@forms(Format.JSON, Format.YAML, because="a line has no name")
@pass_session
def command(session: Session, app: str | None, follow: bool, tail: int, server: str | None) -> None:
    """Prints what an app has written: its replicas' lines, or the output of its last run.

    With -o json each line is an object.
    """
    if server is not None:
        if app:
            raise Usage(f"--server prints the server's own logs, not those of {app}", hint=f"norn logs {app}")
        refuse_form(session.form, (), "norn logs --server", "its lines are printed as they are")
        words = ["logs", *([server] if server else []), "-n", str(tail), *(["-f"] if follow else [])]
        launch.embedded(words, elsewhere=f"docker-compose logs {server}".rstrip())
    name = session.app(app)
    plain: tuple[_Read, Callable[[Any], None]] = session.client.app_logs, session.output.stream
    read, show = plain if session.output.for_people else (session.client.app_log_lines, session.output.one)
    for line in _followed(session, read, name, tail) if follow else read(name, tail=tail, follow=False):
        show(line)


def _followed(session: Session, read: _Read, name: str, tail: int) -> Iterator[Any]:
    """Answers lines for as long as the server has them; comes back for a minute when the connection breaks."""
    app = session.client.app(name)  # what is wrong from the start is told now, not tried again
    away_since = None
    while True:
        try:
            for line in read(name, tail=tail, follow=True):
                away_since = None
                yield line
            if app["role"] in _LONG_RUNNING:
                session.output.say("the server has ended the stream")
            return
        except Unreachable as error:
            if away_since is None:
                session.output.say(f"{error.sentence}; trying again, lines of the time between are not shown")
            away_since, tail = away_since or time.monotonic(), 0
            if time.monotonic() - away_since > AWAY_SECONDS:
                raise
            time.sleep(1)
