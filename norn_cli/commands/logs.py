"""`norn logs`: what an app has written; with `--server` what the server's own processes have."""

from __future__ import annotations

import time
from collections.abc import Iterator

import click

from norn_cli import launch
from norn_cli.errors import Unreachable, Usage
from norn_cli.follow import AWAY_SECONDS
from norn_cli.options import app_argument
from norn_cli.options import command as norn_command
from norn_cli.session import Session, pass_session

_LONG_RUNNING = ("webserver", "worker")


@norn_command("logs")
@app_argument
@click.option("-f", "--follow", is_flag=True, help="Go on as it writes.")
@click.option("--tail", type=click.IntRange(0, 100_000), default=100, show_default=True, help="How many lines back.")
@click.option("--server", is_flag=False, flag_value="", metavar="[PROCESS]",
              help="The server's own processes instead, of norn up on this machine.")  # fmt: skip
@pass_session
def command(session: Session, app: str | None, follow: bool, tail: int, server: str | None) -> None:
    """Prints what an app has written: its replicas' lines, or the output of its last run."""
    if server is not None:
        if app:
            raise Usage(f"--server prints the server's own logs, not those of {app}", hint=f"norn logs {app}")
        launch.embedded(["logs", *([server] if server else []), "-n", str(tail), *(["-f"] if follow else [])])
    name = session.app(app)
    lines = _followed(session, name, tail) if follow else session.client.app_logs(name, tail=tail, follow=False)
    for line in lines:
        session.output.stream(line)


def _followed(session: Session, name: str, tail: int) -> Iterator[str]:
    """Answers lines for as long as the server has them; comes back for a minute when the connection breaks."""
    app = session.client.app(name)  # what is wrong from the start is told now, not tried again
    away_since = None
    while True:
        try:
            for line in session.client.app_logs(name, tail=tail, follow=True):
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
