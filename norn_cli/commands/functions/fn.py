"""`norn fn`: lists a function's calls, shows them and repeats them."""

from __future__ import annotations

import click

from norn_cli.display.calls import show_answer, show_call, show_difference, show_record
from norn_cli.display.tables import CALLS
from norn_cli.errors import ExitCode, JobFailed, Usage
from norn_cli.following import work
from norn_cli.options import WaitOptions, app_argument, commands, limit_option, refuse_form, work_options
from norn_cli.session import Session, pass_session

_EXECUTION = click.argument("execution", type=click.IntRange(min=1))


@commands("fn")
def command() -> None:
    """Lists a function's calls, shows them and repeats them."""


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
    """Shows a call with its output, even if the call failed."""
    if answer:
        refuse_form(session.form, (), f"norn fn show {execution} --answer", "an answer is printed byte by byte")
    record = session.client.call(execution)
    try:
        (show_answer if answer else show_record)(session.output, record)
    except JobFailed:
        if answer:
            raise


@command.command("replay")
@_EXECUTION
@click.option("--release", type=click.IntRange(min=1), help="Run it on this release instead of the live one.")
@click.option("--diff", is_flag=True, help="Instead of the new answer, print how it differs from the recorded one.")
@work_options
@pass_session
def replay(session: Session, execution: int, release: int | None, diff: bool, waiting: WaitOptions) -> int:
    """Repeats a recorded call, waits for its end and prints its output as invoke does.

    If the call does not succeed, the exit status is 6. With --diff, status, headers and body of both answers are
    compared; if they differ, the exit status is 8.
    """
    if diff and waiting.detach:
        raise Usage("--diff waits for the end of the call, and --detach does not", hint="leave out one of the two")
    accepted = session.client.replay(execution, release)
    again = int(accepted["execution"])
    if waiting.detach:
        work.print_accepted(session, accepted)
        session.output.hint(f"norn fn show {again}")
        return int(ExitCode.OK)
    job = work.wait(session, accepted["job"], waiting)
    if diff:
        found = session.client.compare_calls(execution, again)
        session.output.data(found, lambda: show_difference(session.output, found), [str(again)])
        return int(ExitCode.OK if found["same"] else ExitCode.WOULD_CHANGE)
    show_call(session.output, session.client.call(again))
    work.raise_if_failed(session.client, job)
    return int(ExitCode.OK)


@command.command("cancel")
@_EXECUTION
@pass_session
def cancel(session: Session, execution: int) -> None:
    """Asks a call to stop; prints its state."""
    call = session.client.cancel_call(execution)
    session.output.record(call, [("execution", call["id"]), ("state", call["state"])], call["id"])
    session.output.hint(f"norn fn show {execution}")
