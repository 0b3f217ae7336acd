"""`norn run`: runs a command once, in its own container from the live release's image."""

from __future__ import annotations

import os

import click

from norn_cli.answers import Json
from norn_cli.errors import JobFailed, Usage
from norn_cli.following.oneoff import OneOffRun
from norn_cli.options import app_argument, command_with_another, refuse_form, typed_command
from norn_cli.session import Session, pass_session


@command_with_another("run")
@app_argument
@click.option("--timeout", type=click.IntRange(min=1), metavar="SECONDS", help="Stop it after this time.")
@click.option("-t", "--tty", is_flag=True, help="Run it with a terminal, as a shell needs, until this command ends.")
@click.option("-i", "--stdin", is_flag=True, help="Run it with this standard input, until this command ends.")
@click.option("--exit-code", "own_code", is_flag=True, help="End with the command's own exit status.")
@click.option("--detach", is_flag=True, help="Print the run's id and do not wait for it.")
@pass_session
def command(
    session: Session, app: str | None, timeout: int | None, tty: bool, stdin: bool, own_code: bool, detach: bool
) -> int:
    """Runs a command once in the live release's image, with the app's environment, in a container of its own.

    Its stdout and stderr are printed as it writes them. If the command fails, the exit status is 6, or with --exit-code
    the command's own status. With -t the command gets this terminal, with -i this standard input; in both cases the
    exit status is the command's own.
    """
    if tty or stdin:
        return _attached(session, app, timeout, tty=tty, detach=detach)
    accepted = session.client.run(session.app(app), typed_command(), timeout)
    if detach:
        execution = str(accepted["execution"])
        session.output.data(accepted, lambda: session.output.line(execution), [execution])
        session.output.hint(f"norn runs show {execution}")
        return 0
    record = OneOffRun(session.client, session.output, accepted, quiet=not session.output.for_people).to_its_end()
    if not session.output.for_people:
        session.output.data(record, lambda: None, [str(record["id"])])
    return _status(record, own_code)


def _attached(session: Session, app: str | None, timeout: int | None, *, tty: bool, detach: bool) -> int:
    from norn_cli.display import terminal
    from norn_cli.following.remote import Remote

    if detach:
        raise Usage("-t and -i connect the command to this one, and --detach does not", hint="leave one of them out")
    if tty and not terminal.at_terminal():
        raise Usage("stdin and stdout are not a terminal", hint="write -i instead of -t")
    refuse_form(session.form, (), "norn run", "with -t and -i it prints what the command writes")
    window = {"tty": True, "term": os.environ.get("TERM", ""), "size": list(terminal.size())} if tty else {}
    accepted = session.client.run(session.app(app), typed_command(), timeout, attached=True, **window)
    return Remote(session.client, session.output, accepted["job"], tty=tty, stdin=True).to_its_end()


def _status(record: Json, own_code: bool) -> int:
    if own_code and record["exit_code"] is not None:
        return int(record["exit_code"])
    if record["state"] == "succeeded":
        return 0
    sentence = record["sentence"] or f"it ended {record['state']}"
    raise JobFailed(f"run {record['id']} {record['state']}: {sentence}", hint=record["hint"])
