"""`norn fn`: a function's calls: what came of them, and the same again."""

from __future__ import annotations

import click

from norn_cli.calls import show_answer, show_record
from norn_cli.errors import JobFailed
from norn_cli.options import app_argument, commands, limit_option
from norn_cli.output import Format
from norn_cli.session import Session, pass_session
from norn_cli.tables import CALLS

_EXECUTION = click.argument("execution", type=click.IntRange(min=1))


@commands("fn")
def command() -> None:
    """Looks at a function's calls and makes them again."""


@command.command("history")
@app_argument
@limit_option()
@pass_session
def history(session: Session, app: str | None, limit: int) -> None:
    """Lists a function's calls, newest first."""
    session.output.page(session.client.calls(session.app(app), limit), CALLS)


@command.command("show")
@_EXECUTION
@click.option("--answer", is_flag=True, help="Print the function's stdout and stderr only, as invoke does.")
@pass_session
def show(session: Session, execution: int, answer: bool) -> None:
    """Shows a call with what it wrote; one that ended badly is shown all the same."""
    record = session.client.call(execution)
    try:
        (show_answer if answer else show_record)(session.output, record)
    except JobFailed:
        if answer:
            raise


@command.command("replay")
@_EXECUTION
@click.option("--release", type=click.IntRange(min=1), help="On this release instead of the live one.")
@click.option("--record", is_flag=True, help="Print what is known of the call instead of its answer.")
@pass_session
def replay(session: Session, execution: int, release: int | None, record: bool) -> None:
    """Makes a recorded call again."""
    answer = session.client.replay(execution, release)
    if "href" in answer:
        again = str(answer["execution"])
        session.output.data(answer, lambda: session.output.line(again), [again])
        session.output.hint(f"norn fn show {again}")
    elif record or session.output.form is not Format.TABLE:
        show_record(session.output, answer)
    else:
        show_answer(session.output, answer)


@command.command("cancel")
@_EXECUTION
@pass_session
def cancel(session: Session, execution: int) -> None:
    """Asks a call to stop."""
    session.client.cancel_call(execution)
    session.output.hint(f"norn fn show {execution}")
