"""`norn events`: what happened, in the order in which it did."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import click

from norn_cli.errors import CliError, NotNorn, Refused, Unreachable
from norn_cli.follow import AWAY_SECONDS
from norn_cli.options import command as norn_command
from norn_cli.options import limit_option
from norn_cli.output import Format, Output, Style, Styled, dumped
from norn_cli.session import Session, pass_session
from norn_cli.tables import EVENTS, happened
from norn_cli.times import local

Json = dict[str, Any]


@norn_command("events")
@click.option("-f", "--follow", is_flag=True, help="Go on as they happen.")
@click.option("--job", type=click.IntRange(min=1), help="Only those of this job.")
@limit_option(50)
@pass_session
def command(session: Session, follow: bool, job: int | None, limit: int) -> None:
    """Lists the newest events, or follows them; --app names an app.

    While following, -o json prints one object a line.
    """
    wanted = {"app": session.app_option, "job": str(job or "")}
    filters = {name: value for name, value in wanted.items() if value}
    if not follow:
        session.output.page(session.client.events(limit, **filters), EVENTS)
        return
    for event in _followed(session, filters):
        _tell(session.output, event)


def _followed(session: Session, filters: dict[str, str]) -> Iterator[Json]:
    """Answers events, each once; resumes after the last one for a minute when the stream breaks."""
    after, away_since = "", None
    while True:
        try:
            for event in session.client.follow_events(after, **filters):
                after, away_since = event.id or after, None
                if event.kind and isinstance(event.payload, dict):
                    yield event.payload
        except (Unreachable, NotNorn, Refused) as error:
            _raise_if_final(error, after or away_since)
            away_since = away_since or time.monotonic()
            if time.monotonic() - away_since > AWAY_SECONDS:
                raise
        time.sleep(1)


def _raise_if_final(error: CliError, begun: object) -> None:
    """Raises what trying again does not mend: a refusal, or a server that was never there."""
    if not begun or (isinstance(error, Refused) and not error.temporary):
        raise error


def _tell(output: Output, event: Json) -> None:
    if output.form is Format.TABLE:
        place = " ".join(
            str(part) for part in (event.get("app"), f"job {event['job']}" if event.get("job") else "") if part
        )
        output.line(
            Styled(local(event.get("at")), Style.FAINT),
            f"  {event['kind']}  {place}  ",
            happened(event.get("data") or {}),
        )
    elif output.form is Format.NAME:
        output.line(str(event["id"]))
    elif output.form is Format.JSON:
        output.line(json.dumps(event))
    else:
        output.line("---\n" + dumped(event, output.form).rstrip())
    output.flush()
