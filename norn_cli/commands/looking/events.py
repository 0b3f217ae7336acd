"""`norn events`: lists events in the order in which they happened."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import click

from norn_cli.answers import Json
from norn_cli.client import Client
from norn_cli.display.formats import Format
from norn_cli.display.output import Output
from norn_cli.display.styles import Style, Styled
from norn_cli.display.tables import EVENTS, happened
from norn_cli.display.times import local
from norn_cli.errors import NotNorn, Refused, Unreachable
from norn_cli.following.follow import AWAY_SECONDS
from norn_cli.options import command as norn_command
from norn_cli.options import limit_option
from norn_cli.session import Session, pass_session
from norn_cli.sse import ServerEvent

_BEGINNING = "0-0"


@norn_command("events")
@click.option(
    "-f", "--follow", is_flag=True, help="Print new events as they happen; with --job, until the job has ended."
)
@click.option("--job", type=click.IntRange(min=1), help="Only events of this job.")
@limit_option(50)
@pass_session
def command(session: Session, follow: bool, job: int | None, limit: int) -> None:
    """Lists the newest events, or follows them; --app names an app.

    While following, -o json prints one object on each line.
    """
    client, app = session.client, session.app_option
    if follow:
        _follow(session, client, app, job)
        return
    wanted = {"app": app, "job": str(job or "")}
    session.output.page(client.events(limit, **{name: value for name, value in wanted.items() if value}), EVENTS)


def _follow(session: Session, client: Client, app: str, job: int | None) -> None:
    if job:
        for event in _followed(lambda after: client.job_events(job, after), ""):
            _print_event(session.output, event)
            if event["kind"] == "job.ended":
                return
    # Starts at the newest event, by its id. So nothing is missed if the first stream breaks before its first event.
    newest = client.events(1, **({"app": app} if app else {}))["items"]
    begin = str(newest[-1]["id"]) if newest else _BEGINNING
    for event in _followed(lambda after: client.follow_events(app, after), begin):
        _print_event(session.output, event)


def _followed(stream: Callable[[str], Iterator[ServerEvent]], after: str) -> Iterator[Json]:
    """Yields each event once. When the stream breaks, tries for a minute to resume after the last event."""
    begun, away_since = False, None
    while True:
        try:
            for event in stream(after):
                begun, after, away_since = True, event.id or after, None
                if event.kind and isinstance(event.payload, dict):
                    yield event.payload
        except (Unreachable, NotNorn, Refused) as error:
            # A retry is useless if the server refuses the request, or has never responded.
            if not begun or (isinstance(error, Refused) and not error.temporary):
                raise
            away_since = away_since or time.monotonic()
            if time.monotonic() - away_since > AWAY_SECONDS:
                raise
        time.sleep(1)


def _print_event(output: Output, event: Json) -> None:
    if output.form is Format.TABLE:
        place = " ".join(
            str(part) for part in (event.get("app"), f"job {event['job']}" if event.get("job") else "") if part
        )
        output.line(
            Styled(local(event.get("at")), Style.FAINT),
            f"  {event['kind']}  {place}  ",
            happened(event.get("data") or {}),
        )
        output.flush()
    else:
        output.one(event, event["id"])
