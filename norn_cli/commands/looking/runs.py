"""`norn runs`: lists and shows one-off commands of norn run."""

from __future__ import annotations

import shlex

import click

from norn_cli.answers import Json
from norn_cli.display.calls import facts_of_run, show_streams
from norn_cli.display.output import Output
from norn_cli.display.tables import ONEOFFS
from norn_cli.options import app_argument, commands, limit_option
from norn_cli.session import Session, pass_session


@commands("runs")
def command() -> None:
    """Lists and shows the one-off commands of norn run."""


@command.command("list")
@app_argument
@limit_option()
@pass_session
def list_runs(session: Session, app: str | None, limit: int) -> None:
    """Lists an app's one-off commands, newest first."""
    session.output.page(session.client.oneoffs(session.app(app), limit), ONEOFFS)


@command.command("show")
@click.argument("run", type=click.IntRange(min=1))
@pass_session
def show(session: Session, run: int) -> None:
    """Shows a one-off command with its output."""
    found = session.client.oneoff(run)
    session.output.data(found, lambda: _show(session.output, found), [str(found["id"])])


def _show(output: Output, run: Json) -> None:
    output.facts(
        [("command", shlex.join(run["command"])), *facts_of_run(run), ("by", run["actor"]), ("job", run["job"])]
    )
    show_streams(output, run)
