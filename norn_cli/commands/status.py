"""`norn status`: all apps in a line each, or one app with all its facts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from norn_cli.errors import mistake_line
from norn_cli.options import app_argument
from norn_cli.options import command as norn_command
from norn_cli.output import Fact, Output, Style, Styled
from norn_cli.session import Session, pass_session
from norn_cli.tables import APPS, CALLS, REPLICAS, RUNS, app_state, ready_of_wanted, short
from norn_cli.times import ago, local

Json = dict[str, Any]

_FIRST_STEPS = """No apps yet. Where an infraspec.yaml is (norn init writes one), type:

  norn apply
  norn forge
  norn deploy"""


@norn_command("status")
@app_argument
@click.option("-a", "--all", "hidden", is_flag=True, help="Also the apps that say deploy: false.")
@click.option("--fresh", is_flag=True, help="Have the server look at the cluster first.")
@pass_session
def command(session: Session, app: str | None, fresh: bool, hidden: bool) -> None:
    """Shows the apps, or one app with all its facts.

    Only an app that is typed, or named by --app, is shown alone.
    """
    if app or session.app_option or fresh:
        found = session.client.app(session.app(app), fresh=fresh)
        session.output.data(found, lambda: _show(session.output, found), [found["name"]])
        return
    apps = session.client.apps(hidden=hidden)
    session.output.page(apps, APPS, "name", none=_FIRST_STEPS)
    troubled = [app["name"] for app in apps["items"] if app.get("alerts")]
    if troubled and session.output.for_people:
        session.output.say(Styled("alerts: ", Style.BAD), f"{', '.join(troubled)} (norn alerts)")


def _show(output: Output, app: Json) -> None:
    output.facts([*_facts(app), *_schedule_facts(app.get("schedule") or {}), *_troubles(app)])
    for rows, columns in (
        (app.get("replicas"), REPLICAS),
        (app.get("recent"), RUNS if app.get("role") == "cron" else CALLS),
    ):
        if rows:
            output.line()
            output.table(rows, columns)


def _facts(app: Json) -> Iterator[Fact]:
    live = app.get("live") or {}
    yield "app", app["name"]
    yield "role", (app.get("role") or "") + (", core" if app.get("core") else "")
    yield "state", app["state"]
    yield "at work", app_state(app).partition(", ")[2]
    yield "ready", ready_of_wanted(app)
    yield "scale", _override(app.get("replicas_override"))
    if live:
        yield (
            "release",
            f"{live['release']} {short(live.get('revision'))}".strip()
            + (f", live since {ago(live['at'])}" if live.get("at") else ""),
        )
    yield "url", app.get("url")
    yield "external", app.get("external")
    yield "source", " ".join(part for part in (app.get("source"), app.get("origin")) if part and part != "none")
    yield "uploaded", _upload(app.get("upload"))
    yield "forge", (app.get("forge") or {}).get("state")
    yield "last deploy", _last(app.get("last_deployment"))
    yield "seen", ago(app.get("seen_at"))


def _schedule_facts(schedule: Json) -> Iterator[Fact]:
    zone = schedule.get("timezone") or "UTC"
    if schedule:
        yield "schedule", f"{schedule.get('text')} {zone}, {schedule.get('state')}"
        yield "next run", _moment(schedule.get("next"), zone)
    if override := schedule.get("override"):
        yield "override", f"{override.get('schedule')} by {override.get('by')} {ago(override.get('at'))}"
    if paused := schedule.get("paused"):
        yield "paused", f"by {paused.get('by')} {ago(paused.get('at'))} {paused.get('reason') or ''}"
    if last := schedule.get("last"):
        yield (
            "last verdict",
            f"{last.get('verdict')} {_moment(last.get('scheduled_for'), zone)} {last.get('reason') or ''}",
        )


def _troubles(app: Json) -> Iterator[Fact]:
    for alert in app.get("alerts") or []:
        yield "alert", f"{alert['sentence']} ({ago(alert['raised_at'])})"
    for mistake in app.get("mistakes") or []:
        yield "mistake", mistake_line(mistake)
    error = (app.get("forge") or {}).get("error") or {}
    yield "forge error", error.get("sentence")
    yield "remark", app.get("message")
    for notice in app.get("notices") or []:
        yield "notice", notice


def _override(override: Json | None) -> str:
    return f"set to {override['replicas']} by {override['by']} {ago(override['at'])}" if override else ""


def _upload(upload: Json | None) -> str:
    if not upload:
        return ""
    return f"{upload['revision']} by {upload['actor']} {ago(upload['created_at'])}, {upload['files']} files"


def _last(deployment: Json | None) -> str:
    if not deployment:
        return ""
    sentence = (deployment.get("error") or {}).get("sentence")
    when = ago(deployment.get("ended_at") or deployment.get("created_at"))
    return f"{deployment.get('state')} {when}" + (f": {sentence}" if sentence else "")


def _moment(text: str | None, zone: str) -> str:
    return f"{local(text, zone)} ({ago(text)})" if text else ""
