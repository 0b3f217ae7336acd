"""`norn cron`: shows schedules with their next times and past occurrences, and changes them."""

from __future__ import annotations

import click

from norn_cli.answers import OPEN_RUN, Json
from norn_cli.display.bar import LEGEND
from norn_cli.display.calls import raise_if_failed
from norn_cli.display.schedules import show_next, show_run, show_schedule
from norn_cli.display.styles import Style, Styled
from norn_cli.display.tables import SCHEDULES, ticks
from norn_cli.errors import CliError, Usage
from norn_cli.following import work
from norn_cli.options import WaitOptions, app_argument, commands, limit_option, work_options
from norn_cli.session import Session, pass_session

_PREVIEWED = 5
"""How many occurrences `--preview` shows."""


_around_option = click.option(
    "--around",
    metavar="DATE",
    help="Start at this date or time, such as 2026-10-25, or 2026-10-25T01:00 in the schedule's zone.",
)


@commands("cron")
def command() -> None:
    """Shows schedules; runs, pauses and changes them."""


@command.command("list")
@click.argument("app", required=False)
@pass_session
def list_schedules(session: Session, app: str | None) -> None:
    """Lists every app that has a schedule, or one APP, with one character for each of its last 30 occurrences."""
    answer = session.client.schedules()
    if app is not None:
        found = [each for each in answer["items"] if each["app"] == app]
        if not found:
            raise CliError(f"{app} has no schedule", hint=f"norn status {app}")
        answer = {**answer, "items": found}
    session.output.page(answer, SCHEDULES, "app", none="no app has a schedule yet")
    if session.output.for_people and answer["items"]:
        session.output.say(Styled(LEGEND, Style.FAINT))


@command.command("next")
@app_argument
@limit_option(10, most=100)
@_around_option
@pass_session
def next_times(session: Session, app: str | None, limit: int, around: str | None) -> None:
    """Lists when a schedule is due, in its own zone; a night in which the clocks change is marked."""
    wanted = {"around": around} if around else {}
    show_next(session.output, session.client.cron_next(session.app(app), limit, **wanted))


@command.command("run")
@app_argument
@click.option("--force", is_flag=True, help="Run even if another run of the app has not ended.")
@click.option("--command", "text", metavar="TEXT", help="Run this by `sh -c` instead of the app's own command, once.")
@click.option("--env", "-e", "pairs", multiple=True, metavar="NAME=VALUE", help="Set a variable for this run alone.")
@work_options
@pass_session
def run(
    session: Session, app: str | None, force: bool, text: str | None, pairs: tuple[str, ...], waiting: WaitOptions
) -> None:
    """Runs a cron app now, and prints the run with its output; the schedule stays the same."""
    name = session.app(app)
    asked: Json = {"force": force}
    if text is not None:
        asked["command"] = text
    if pairs:
        asked["env"] = dict(_pair(pair) for pair in pairs)
    accepted = session.client.cron_do(name, "trigger", asked)
    if waiting.detach:
        work.print_accepted(session, accepted)
        return
    job = work.wait(session, accepted["job"], waiting)
    execution = accepted.get("execution") or job.get("execution")
    if not execution:
        work.raise_if_failed(session.client, job)
        raise CliError(f"job {job['id']} ended without a run", hint=f"norn jobs show {job['id']}")
    found = session.client.cron_execution(name, execution)
    session.output.data(found, lambda: show_run(session.output, found), [str(found["id"])])
    raise_if_failed(found)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise Usage(f"--env {text[:40]}: it is not NAME=VALUE", hint="such as --env MONTH=10")
    return name, value


@command.command("pause")
@app_argument
@click.option("--reason", default="", help="Shown with the schedule and with each occurrence that is skipped.")
@pass_session
def pause(session: Session, app: str | None, reason: str) -> None:
    """Stops a schedule from firing; each occurrence is still recorded."""
    show_schedule(session.output, session.client.cron_do(session.app(app), "pause", {"reason": reason}))


@command.command("resume")
@app_argument
@pass_session
def resume(session: Session, app: str | None) -> None:
    """Lets a paused schedule fire again; skipped occurrences do not run later."""
    show_schedule(session.output, session.client.cron_do(session.app(app), "resume", {}))


@command.command("set-schedule")
@click.argument("words", nargs=-1, metavar="[APP] [SCHEDULE]")
@click.option("--timezone", metavar="ZONE", help="Such as Europe/Berlin.")
@click.option("--clear", is_flag=True, help="Return to the schedule in the infraspec.")
@click.option("--preview", is_flag=True, help="Only show when the schedule would be due; nothing is changed.")
@_around_option
@pass_session
def set_schedule(
    session: Session, words: tuple[str, ...], timezone: str | None, clear: bool, preview: bool, around: str | None
) -> None:
    """Overrides the infraspec's schedule; quote the new one: norn cron set-schedule blog '*/5 * * * *'.

    Prints the next times of the new schedule. With --preview nothing is changed, and --around sets the start of the
    list. With --timezone alone, the schedule stays and its zone changes.
    """
    app, written = _app_and_schedule(words, clear=clear, zone_alone=timezone is not None)
    if clear and preview:
        raise Usage(
            "--preview needs a schedule to show, and --clear does not name one",
            hint="norn cron next shows the schedule in effect",
        )
    if around and not preview:
        raise Usage("--around belongs to --preview", hint="norn cron next --around shows the schedule in effect")
    name, zone = session.app(app), {"timezone": timezone} if timezone else {}
    schedule = written or ""
    if written is None and not clear:
        schedule = session.client.cron(name)["schedule"]["text"]
    if preview:
        wanted = zone | ({"around": around} if around else {})
        show_next(session.output, session.client.cron_next(name, _PREVIEWED, schedule=schedule, **wanted))
        return
    changed = (
        session.client.clear_schedule(name)
        if clear
        else session.client.set_schedule(name, {"schedule": schedule, **zone})
    )
    show_schedule(session.output, changed)


@command.command("history")
@app_argument
@limit_option()
@click.option("--verdict", metavar="VERDICT", help="Only occurrences with this verdict, such as missed.")
@pass_session
def history(session: Session, app: str | None, limit: int, verdict: str | None) -> None:
    """Lists a schedule's occurrences with their verdicts, and manual runs, newest first."""
    wanted, name = {"verdict": verdict} if verdict else {}, session.app(app)
    found = session.client.cron_history(name, limit, **wanted)
    zone = session.client.cron(name)["schedule"]["timezone"] if session.output.for_people else "UTC"
    session.output.page(found, ticks(zone), "scheduled_for")


@command.command("logs")
@app_argument
@click.argument("execution", required=False)
@click.option("-f", "--follow", is_flag=True, help="If the run has not ended, wait for its end.")
@pass_session
def logs(session: Session, app: str | None, execution: str | None, follow: bool) -> None:
    """Prints the run EXECUTION, or the last run, with its output; stdout and stderr are shown separately.

    The output of a run is available when the run has ended; -f waits for that.
    """
    if app and app.isdigit() and execution is None:  # no app has a number as its name
        app, execution = None, app
    name = session.app(app)
    number = _number(execution) if execution else _last_run(session, name)
    found = session.client.cron_execution(name, number)
    if follow and found["state"] in OPEN_RUN:
        work.wait(session, found["job"], WaitOptions())
        found = session.client.cron_execution(name, number)
    session.output.data(found, lambda: show_run(session.output, found), [str(found["id"])])


def _app_and_schedule(words: tuple[str, ...], *, clear: bool, zone_alone: bool) -> tuple[str | None, str | None]:
    """Returns the app and the schedule that the user typed; None for each of them that was not typed."""
    named = len(words) == 1 and _is_app(words[0])
    if (clear or zone_alone) and (named or not words):
        return (words[0] if words else None), None
    if clear or not words:
        raise Usage("set-schedule takes a schedule or --clear", hint="norn cron set-schedule blog '*/5 * * * *'")
    if named:
        raise Usage(
            f"which schedule? {words[0]} was taken for the app",
            hint=f"norn cron set-schedule {words[0]} '*/5 * * * *', or --clear",
        )
    if len(words) == 1:
        return None, words[0]
    if len(words) == 2:
        return words[0], words[1]
    raise Usage(
        "the schedule is split into several arguments",
        hint="put it in quotes: norn cron set-schedule blog '*/5 * * * *'",
    )


def _is_app(word: str) -> bool:
    """Returns True for a text that can be the name of an app, and is no schedule."""
    return not word.startswith("@") and not set(word) & set(" \t*") and word != ""


def _number(text: str) -> int:
    if not text.isdigit():
        raise Usage(f"{text!r} is not the number of a run", hint="norn cron history lists them")
    return int(text)


def _last_run(session: Session, app: str) -> int:
    last = session.client.cron(app).get("last") or []
    if not last:
        raise CliError(f"{app} has not run yet", hint=f"norn cron run {app}")
    return int(last[0]["id"])
