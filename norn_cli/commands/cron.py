"""`norn cron`: schedules: when they are due, what became of it, and changing that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from norn_cli import work
from norn_cli.calls import facts_of_run, raise_if_failed, show_streams
from norn_cli.errors import CliError, Usage
from norn_cli.options import Waiting, app_argument, commands, limit_option, work_options
from norn_cli.output import Column, Fact, Output
from norn_cli.project import SPEC_FILE
from norn_cli.session import Session, pass_session
from norn_cli.tables import SCHEDULES, TICKS
from norn_cli.times import ago, local

Json = dict[str, Any]


@commands("cron")
def command() -> None:
    """Looks at schedules, runs, pauses and changes them."""


@command.command("list")
@pass_session
def list_schedules(session: Session) -> None:
    """Lists every app that has a schedule."""
    answer = session.client.apps()
    with_schedule = [app for app in answer["items"] if app.get("schedule")]
    session.output.page({**answer, "items": with_schedule}, SCHEDULES, "name")


@command.command("next")
@app_argument
@limit_option(10)
@pass_session
def next_times(session: Session, app: str | None, limit: int) -> None:
    """Lists when a schedule is due next."""
    answer = session.client.cron_next(session.app(app), limit)
    zone, times = answer["timezone"], answer["items"]
    columns = (Column("DUE", lambda row: local(row["at"], zone)), Column("", lambda row: ago(row["at"])))
    session.output.data(answer, lambda: session.output.table([{"at": at} for at in times], columns), times)


@command.command("run")
@app_argument
@click.option("--force", is_flag=True, help="Even while another run of it is going.")
@work_options
@pass_session
def run(session: Session, app: str | None, force: bool, waiting: Waiting) -> None:
    """Runs a cron app now, and prints the run with its output; the schedule does not move."""
    name = session.app(app)
    accepted = session.client.cron_do(name, "trigger", {"force": force})
    if waiting.detach:
        work.tell_accepted(session, accepted)
        return
    job = work.wait(session, accepted["job"], waiting)
    execution = accepted.get("execution") or job.get("execution")
    if not execution:
        work.raise_if_failed(session.client, job)
        raise CliError(f"job {job['id']} ended without a run", hint=f"norn jobs show {job['id']}")
    found = session.client.cron_execution(name, execution)
    session.output.data(found, lambda: _show_run(session.output, found), [str(found["id"])])
    raise_if_failed(found)


@command.command("pause")
@app_argument
@click.option("--reason", default="", help="Shown with the schedule and with each occurrence that is skipped.")
@pass_session
def pause(session: Session, app: str | None, reason: str) -> None:
    """Stops a schedule from firing; each occurrence is still accounted for."""
    _show(session.output, session.client.cron_do(session.app(app), "pause", {"reason": reason}))


@command.command("resume")
@app_argument
@pass_session
def resume(session: Session, app: str | None) -> None:
    """Lets a paused schedule fire again; what was skipped is not made up for."""
    _show(session.output, session.client.cron_do(session.app(app), "resume", {}))


@command.command("set-schedule")
@click.argument("words", nargs=-1, metavar="[APP] [SCHEDULE]")
@click.option("--timezone", metavar="ZONE", help="Such as Europe/Berlin.")
@click.option("--clear", is_flag=True, help="Back to the schedule in the infraspec.")
@pass_session
def set_schedule(session: Session, words: tuple[str, ...], timezone: str | None, clear: bool) -> None:
    """Puts another schedule over the infraspec's, in quotes: norn cron set-schedule blog '*/5 * * * *'."""
    app, schedule = _app_and_schedule(words, clear)
    name = session.app(app)
    if clear:
        changed = session.client.clear_schedule(name)
    else:
        zone = {"timezone": timezone} if timezone else {}
        changed = session.client.set_schedule(name, {"schedule": schedule, **zone})
    _show(session.output, changed)


@command.command("history")
@app_argument
@limit_option()
@pass_session
def history(session: Session, app: str | None, limit: int) -> None:
    """Lists what became of a schedule's occurrences, and the runs by hand, newest first."""
    session.output.page(session.client.cron_history(session.app(app), limit), TICKS, "scheduled_for")


@command.command("logs")
@app_argument
@click.argument("execution", required=False)
@pass_session
def logs(session: Session, app: str | None, execution: str | None) -> None:
    """Prints a run with its output: EXECUTION, else the last one."""
    if app and app.isdigit() and execution is None:  # no app is called by a number
        app, execution = None, app
    name = session.app(app)
    found = session.client.cron_execution(name, _number(execution) if execution else _last_run(session, name))
    session.output.data(found, lambda: _show_run(session.output, found), [str(found["id"])])


def _app_and_schedule(words: tuple[str, ...], clear: bool) -> tuple[str | None, str]:
    if clear and len(words) <= 1:
        return (words[0] if words else None), ""
    if clear or not words:
        raise Usage("set-schedule takes a schedule or --clear", hint="norn cron set-schedule blog '*/5 * * * *'")
    if len(words) == 1:
        return None, words[0]
    if len(words) == 2:
        return words[0], words[1]
    raise Usage("the schedule came in pieces", hint="put it in quotes: norn cron set-schedule blog '*/5 * * * *'")


def _number(text: str) -> int:
    if not text.isdigit():
        raise Usage(f"{text!r} is not the number of a run", hint="norn cron history lists them")
    return int(text)


def _last_run(session: Session, app: str) -> int:
    last = session.client.cron(app).get("last") or []
    if not last:
        raise CliError(f"{app} has not run yet", hint=f"norn cron run {app}")
    return int(last[0]["id"])


def _show(output: Output, cron: Json) -> None:
    output.record(cron, _facts(cron), cron["app"])


def _facts(cron: Json) -> Iterator[Fact]:
    schedule = cron["schedule"]
    zone, override, paused = schedule["timezone"], schedule.get("override"), schedule.get("paused")
    yield "app", cron["app"]
    yield "schedule", f"{schedule['text']} {zone}"
    yield "state", schedule["state"]
    if override:
        yield "override", f"by {override['by']} {ago(override['at'])}, over {SPEC_FILE}"
    if paused:
        yield "paused", f"by {paused['by']} {ago(paused['at'])} {paused['reason']}"
    for due in cron["next"][:1]:
        yield "next run", f"{local(due, zone)} ({ago(due)})"


def _show_run(output: Output, found: Json) -> None:
    due = [("due", local(found.get("scheduled_for"))), ("trigger", found.get("trigger"))]
    output.facts([*facts_of_run(found), *due])
    show_streams(output, found)
