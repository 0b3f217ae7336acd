"""`norn drift`: shows the fields of an app that somebody other than Norn has changed in its cluster."""

from __future__ import annotations

import click

from norn_cli.answers import Json
from norn_cli.display.output import Output
from norn_cli.display.styles import Style, Styled
from norn_cli.errors import ExitCode
from norn_cli.following import work
from norn_cli.options import WaitOptions, app_argument
from norn_cli.options import command as norn_command
from norn_cli.session import Session, pass_session

_PATIENCE = 120.0


@norn_command("drift")
@app_argument
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 8 if something was changed.")
@click.option("--last", is_flag=True, help="Show the last comparison instead of making a new one.")
@pass_session
def command(session: Session, app: str | None, detailed_exitcode: bool, last: bool) -> int:
    """Compares the running app with its live release; shows both values of each field that differs.

    Nothing is changed. Each app is also compared automatically every 24 hours, and a difference raises an alert.
    """
    name = session.app(app)
    if not last:
        job = work.wait(session, session.client.work(name, "drift", {})["job"], WaitOptions(timeout=_PATIENCE))
        work.raise_if_failed(session.client, job)
    seen = session.client.drift(name)
    session.output.data(seen, lambda: _print(session.output, seen), [seen["name"]])
    return ExitCode.WOULD_CHANGE if detailed_exitcode and seen["drifted"] else ExitCode.OK


def _print(output: Output, seen: Json) -> None:
    output.line(Styled(seen["name"], Style.STRONG), f" {_sentence(seen)}")
    thing = ""
    for each in seen["found"]:
        if each["thing"] != thing:
            thing = each["thing"]
            output.line(thing)
        output.line(f"  {each['field'] or 'the object'}: {_value(each['wanted'])} -> {_value(each['found'])}")
    if seen["drifted"]:
        output.hint(f"norn restart {seen['name']} brings back the changed values; added fields stay")


def _sentence(seen: Json) -> str:
    if seen["seen_at"] is None:
        return "has not been compared since its release went live"
    count = len(seen["found"])
    if not count:
        return "is as Norn made it"
    return f"has {count} {'field' if count == 1 else 'fields'} that somebody other than Norn changed:"


def _value(value: str | None) -> str:
    return "(nothing)" if value is None else value
