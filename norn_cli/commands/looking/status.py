"""`norn status`: shows all apps, one line each, or one app with all its facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import click

from norn_cli.answers import Json
from norn_cli.display.output import Fact, Output
from norn_cli.display.styles import Style, Styled
from norn_cli.display.tables import APPS, CALLS, REPLICAS, RUNS, app_state, ready_of_wanted, short
from norn_cli.display.times import ago, local
from norn_cli.display.trouble import last_deploy_failed, trouble_of
from norn_cli.display.usage import usage_of
from norn_cli.errors import mistake_line
from norn_cli.options import ROLES, app_argument
from norn_cli.options import command as norn_command
from norn_cli.session import Session, pass_session

_FIRST_STEPS = """No apps yet. Where your app is, type:

  norn init       (writes infraspec.yaml, and a Dockerfile if there is none)
  norn deploy ."""


@norn_command("status")
@app_argument
@click.option("-a", "--all", "hidden", is_flag=True, help="Also show apps with deploy: false.")
@click.option("--down", is_flag=True, help="Only apps that are not as they should be.")
@click.option("--role", type=click.Choice(ROLES), help="Only apps of this role.")
@click.option("--core/--no-core", default=None, help="Only the platform's own apps, or only the others.")
@click.option("--fresh", is_flag=True, help="Have the server look at the cluster first.")
@pass_session
def command(
    session: Session, app: str | None, fresh: bool, hidden: bool, down: bool, role: str | None, core: bool | None
) -> None:
    """Shows the apps, those with trouble first, or one app with all its facts.

    One app is shown only if it is typed or named by --app.
    """
    if app or session.app_option or fresh:
        found = session.client.app(session.app(app), fresh=fresh)
        session.output.data(found, lambda: _show(session.output, found), [found["name"]])
        return
    answer = session.client.apps(hidden=hidden, role=role, core=core)
    if down:
        answer = {**answer, "items": [each for each in answer["items"] if trouble_of(each)]}
    session.output.page(answer, APPS, "name", none=_none(down, role), order=trouble_of)
    if session.output.for_people:
        _sum_up(session.output, answer["items"])


def _none(down: bool, role: str | None) -> str:
    apps = f"{role} " if role else ""
    return f"No {apps}app is in trouble." if down else f"No {role} apps." if role else _FIRST_STEPS


def _sum_up(output: Output, apps: list[Json]) -> None:
    """Prints the number of apps in each state, and the names of the apps with an available update or an open alert."""
    counts = Counter(app["state"] for app in sorted(apps, key=trouble_of, reverse=True))
    failed = sum(last_deploy_failed(app) for app in apps)
    if len(apps) > 1:
        parts = [f"{number} {state}" for state, number in counts.items()]
        after = f"; the last deploy of {failed} failed" if failed else ""
        output.say(f"{len(apps)} apps: {', '.join(parts)}{after}")
    behind = [app["name"] for app in apps if app.get("update")]
    if behind:
        output.say(Styled("update available: ", Style.CARE), f"{', '.join(behind)} (norn deploy {behind[0]})")
    troubled = [app["name"] for app in apps if app.get("alerts")]
    if troubled:
        output.say(Styled("alerts: ", Style.BAD), f"{', '.join(troubled)} (norn alerts)")


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
    yield "url", app.get("url") if live or app.get("role") != "webserver" else ""
    yield "external", app.get("external")
    yield "source", " ".join(part for part in (app.get("source"), app.get("origin")) if part and part != "none")
    spec = app.get("spec") or {}
    yield "web page", (spec.get("repo") or {}).get("repoWeb")
    yield "root", "writable" if (spec.get("container") or {}).get("writable") else ""
    yield "uploaded", _upload(app.get("upload"))
    yield "forge", (app.get("forge") or {}).get("state")
    yield "cluster", app.get("cluster")
    yield "last deploy", _last(app.get("last_deployment"))
    yield "uptime", _uptime(app.get("uptime"))
    yield "calls", _figures(app.get("figures"))
    yield "uses", usage_of(app)
    yield "seen", ago(app.get("seen_at"))


def _schedule_facts(schedule: Json) -> Iterator[Fact]:
    zone = schedule.get("timezone") or "UTC"
    if schedule:
        yield "schedule", f"{schedule.get('text')} {zone}, {schedule.get('state')}"
        yield "that is", schedule.get("words")
        yield "next run", _moment(schedule.get("next"), zone)
    if override := schedule.get("override"):
        yield "override", f"{override.get('schedule')} by {override.get('by')} {ago(override.get('at'))}"
    if paused := schedule.get("paused"):
        why = f": {paused['reason']}" if paused.get("reason") else ""
        yield "paused", f"by {paused.get('by')} {ago(paused.get('at'))}{why}"
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


def _uptime(uptime: Json | None) -> str:
    """Returns the share of the time in which the app served, and its last time down."""
    if not uptime or uptime["day"] is None:
        return ""
    share = f"{uptime['day']:g} % in 24 h, {uptime['week']:g} % in 7 days"
    down = next((each for each in uptime["changes"] if each["state"] == "down"), None)
    if down is None:
        return share
    return f"{share}; last down {ago(down['began_at'])}" + (f": {down['reason']}" if down["reason"] else "")


def _figures(figures: Json | None) -> str:
    """Returns how many calls a function had in the last hour, how many failed, and how long they took."""
    if not figures:
        return ""
    counts = f"{figures['calls']} in the last hour, {figures['errors']} failed"
    return counts + (
        f"; p50 {figures['p50_ms']} ms, p99 {figures['p99_ms']} ms" if figures["p50_ms"] is not None else ""
    )


def _upload(upload: Json | None) -> str:
    if not upload:
        return ""
    return f"{upload['revision']} with the token {upload['actor']} {ago(upload['created_at'])}, {upload['files']} files"


def _last(deployment: Json | None) -> str:
    if not deployment:
        return ""
    sentence = (deployment.get("error") or {}).get("sentence")
    when = ago(deployment.get("ended_at") or deployment.get("created_at"))
    return f"{deployment.get('state')} {when}" + (f": {sentence}" if sentence else "")


def _moment(text: str | None, zone: str) -> str:
    return f"{local(text, zone)} ({ago(text)})" if text else ""
