"""`norn logs`: prints the lines that an app has written, or with `--server` those of the server's own processes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import click

from norn_cli import launch
from norn_cli.display.formats import Format
from norn_cli.errors import Unreachable, Usage
from norn_cli.following.follow import AWAY_SECONDS
from norn_cli.options import app_argument, forms, refuse_form
from norn_cli.options import command as norn_command
from norn_cli.session import Session, pass_session


@norn_command("logs")
@app_argument
@click.option("-f", "--follow", is_flag=True, help="Print new lines as they are written.")
@click.option(
    "-n", "--tail", type=click.IntRange(0, 10_000), default=100, show_default=True, help="How many past lines."
)
@click.option("--since", metavar="TIME", help="Only lines since then: 2h, 90m, or 2026-11-30T17:00:00Z.")
@click.option("--until", metavar="TIME", help="Only lines before then: 30m, or a time.")
@click.option("--grep", metavar="REGEX", help="Only lines that match REGEX (RE2); (?i) in front ignores case.")
@click.option("--release", type=click.IntRange(1), metavar="N", help="Only lines of this release.")
@click.option("--replica", type=click.IntRange(1), metavar="N", help="Only lines of the replica with this number.")
@click.option("-p", "--previous", is_flag=True, help="Only lines of the newest replicas that no longer exist.")
@click.option(
    "-t/-T",
    "--timestamps/--no-timestamps",
    default=None,
    help="Print each line with its time; the default with --since, --until, --grep, --release and --previous.",
)
@click.option("--server", is_flag=False, flag_value="", metavar="[PROCESS]",
              help="Print the lines of the server's own processes, started by norn up on this machine.")  # fmt: skip
@forms(Format.JSON, Format.YAML, because="a line has no name")
@pass_session
def command(
    session: Session,
    /,
    app: str | None,
    follow: bool,
    tail: int,
    server: str | None,
    timestamps: bool | None,
    **which: Any,
) -> None:
    """Prints what an app has written: its replicas' lines, or the output of its last run.

    The lines of a replica are kept when it is restarted, replaced or removed. With -o json each line is an object.
    """
    which = {
        name: int(value) if value is True else value for name, value in which.items() if value not in (None, False)
    }
    if server is not None:
        if app:
            raise Usage(f"--server prints the server's own logs, not those of {app}", hint=f"norn logs {app}")
        if which:
            raise Usage(f"--server has no --{min(which)}", hint="norn logs --server | grep")
        refuse_form(session.form, (), "norn logs --server", "its lines are printed as they are")
        words = ["logs", *([server] if server else []), "-n", str(tail), *(["-f"] if follow else [])]
        launch.embedded(words, elsewhere=f"docker-compose logs {server}".rstrip())
    name = session.app(app)
    timed = timestamps if timestamps is not None else any(option in which for option in _OF_THE_PAST)
    which["tail"] = tail
    if session.output.for_people and not follow:
        _print_kept(session, name, which | ({"timestamps": 1} if timed else {}))
        return
    read = session.client.app_log_lines
    for line in _followed(session, name, which) if follow else read(name, which):
        if session.output.for_people:
            at = f"{line['at']} " if timed and "at" in line else ""
            session.output.stream(f"{at}{line['source']} | {line['line']}")
        else:
            session.output.one(line)


def _print_kept(session: Session, name: str, which: dict[str, Any]) -> None:
    """Prints the lines, and says when none matches."""
    empty = True
    for text in session.client.app_logs(name, which):
        session.output.stream(text)
        empty = False
    if empty and any(option in which for option in (*_OF_THE_PAST, "replica")):
        session.output.say(f"no line of {name} matches")


_OF_THE_PAST = ("since", "until", "grep", "release", "previous")
"""With one of these options, each line is printed with its time by default, because the lines may be from very
different times.
"""


def _followed(session: Session, name: str, which: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields lines as long as the server sends them; when the connection breaks, it tries again for a minute."""
    app = session.client.app(name)  # reports a wrong name immediately, without retries
    away_since = None
    while True:
        try:
            for line in session.client.app_log_lines(name, which | {"follow": 1}):
                away_since = None
                yield line
            if app["wanted"] is not None:  # it has replicas, whose logs do not end
                session.output.say("the server has ended the stream")
            return
        except Unreachable as error:
            if away_since is None:
                session.output.say(f"{error.sentence}; trying again, lines of the time between are not shown")
            away_since, which = away_since or time.monotonic(), which | {"tail": 0}
            if time.monotonic() - away_since > AWAY_SECONDS:
                raise
            time.sleep(1)
