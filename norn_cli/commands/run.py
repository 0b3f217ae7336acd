"""`norn run`: runs a command once, in a container of its own of the live release's image."""

from __future__ import annotations

from typing import Any

import click

from norn_cli.errors import JobFailed
from norn_cli.oneoff import OneOff
from norn_cli.options import app_argument, command_with_another, typed_command
from norn_cli.session import Session, pass_session

Json = dict[str, Any]


@command_with_another("run")
@app_argument
@click.option("--timeout", type=click.IntRange(min=1), metavar="SECONDS", help="End it after so long.")
@click.option("--exit-code", "own_code", is_flag=True, help="End with the command's own exit status.")
@click.option("--detach", is_flag=True, help="Print the run's id and do not wait for it.")
@pass_session
def command(session: Session, app: str | None, timeout: int | None, own_code: bool, detach: bool) -> int:
    """Runs a command once in the live release's image, with the app's environment, apart from what serves.

    Its stdout and stderr come as it writes them. A command that does not succeed ends with exit status 6, or with
    --exit-code with its own.
    """
    accepted = session.client.run(session.app(app), typed_command(), timeout)
    if detach:
        execution = str(accepted["execution"])
        session.output.data(accepted, lambda: session.output.line(execution), [execution])
        session.output.hint(f"norn runs show {execution}")
        return 0
    record = OneOff(session.client, session.output, accepted, quiet=not session.output.for_people).to_its_end()
    if not session.output.for_people:
        session.output.data(record, lambda: None, [str(record["id"])])
    return _status(record, own_code)


def _status(record: Json, own_code: bool) -> int:
    if own_code and record["exit_code"] is not None:
        return int(record["exit_code"])
    if record["state"] == "succeeded":
        return 0
    sentence = record["sentence"] or f"it ended {record['state']}"
    raise JobFailed(f"run {record['id']} {record['state']}: {sentence}", hint=record["hint"])
