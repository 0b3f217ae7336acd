"""Tables of apps: their state, replicas, deployments, releases and specs."""

from __future__ import annotations

from norn_cli.answers import Json
from norn_cli.display.output import Column
from norn_cli.display.tables.cells import BY, ID, STATE, error, field, short, when
from norn_cli.display.times import ago, between, local
from norn_cli.display.trouble import last_deploy_failed
from norn_cli.display.usage import cpus, memory


def app_state(app: Json) -> str:
    """Returns an app's state, with the job that is running for the app."""
    running = app.get("running_job")
    return f"{app.get('state')}, {running['kind']} in job {running['id']}" if running else str(app.get("state"))


def _state_of_app(app: Json) -> str:
    return app_state(app) + (", last deploy failed" if app.get("live") and last_deploy_failed(app) else "")


def ready_of_wanted(app: Json) -> str:
    """Returns ready and wanted replicas as `2/3`; empty for an app that has none."""
    return f"{app.get('ready') or 0}/{app['wanted']}" if app.get("wanted") is not None else ""


def _where(app: Json) -> str:
    schedule = app.get("schedule") or {}
    url = app.get("url") if app.get("live") else None
    return str(url or (f"next {ago(schedule['next'])}" if schedule.get("next") else ""))


APPS = (
    Column("APP", field("name")),
    Column("ROLE", field("role")),
    Column("STATE", _state_of_app),
    Column("READY", ready_of_wanted),
    Column("RELEASE", field("release")),
    Column("LIVE", lambda app: ago((app.get("live") or {}).get("at"))),
    Column("WHERE OR WHEN", _where),
)
REPLICAS = (
    Column("REPLICA", field("name")),
    STATE,
    Column("RELEASE", field("release")),
    Column("HEALTHY", lambda row: {True: "yes", False: "no", None: ""}[row.get("healthy")]),
    Column("RESTARTS", field("restarts")),
    Column("CPU", lambda row: cpus(row.get("usage"))),
    Column("MEMORY", lambda row: memory(row.get("usage"))),
    Column("MESSAGE", field("message")),
)
DEPLOYMENTS = (
    ID,
    Column("KIND", field("kind")),
    STATE,
    Column("RELEASE", field("release")),
    Column("REVISION", lambda row: short(row.get("revision"))),
    Column("LIVE", lambda row: "live" if row.get("live") else ""),
    Column("BEGAN", when("created_at")),
    Column("JOB", field("job")),
    BY,
    Column("ERROR", error),
)
RELEASES = (
    Column("RELEASE", field("n")),
    STATE,
    Column("LIVE", lambda row: "live" if row.get("live") else ago(row.get("live_at"))),
    Column("REVISION", lambda row: short(row.get("revision"))),
    Column("MADE", when("created_at")),
    BY,
    Column("IMAGE", lambda row: "pruned" if row.get("pruned_at") else row.get("image")),
)
SPECS = (
    Column("VERSION", field("version")),
    Column("APPLIED", when("at")),
    Column("BY", field("actor")),
    Column("FIELDS", lambda row: ", ".join(row.get("spec") or {})),
)
STATES = (
    Column("BEGAN", lambda row: local(row.get("began_at"))),
    STATE,
    Column("FOR", lambda row: between(row.get("began_at"), row.get("ended_at"))),
    Column("WHY", field("reason")),
)
