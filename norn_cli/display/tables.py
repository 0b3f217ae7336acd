"""The tables: one tuple of columns for each kind of object of the API."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from norn_cli.answers import Json
from norn_cli.display.bar import bar
from norn_cli.display.output import Column
from norn_cli.display.times import ago, between, duration, local, span
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


def short(revision: str | None) -> str:
    """Returns a revision for people: the first twelve digits of a SHA, any other revision in full."""
    return revision[:12] if revision and len(revision) == 40 else revision or ""


def verdict(tick: Json) -> str:
    """Returns an occurrence's verdict, with the number of occurrences in the row; `manual` for a manual run."""
    word = str(tick["verdict"] or tick.get("trigger") or "")
    return word + (f" ×{tick['how_many']}" if (tick.get("how_many") or 1) > 1 else "")


def reason(record: Json) -> str:
    """Returns why a run failed: the sentence, and the first line of its stderr if the sentence names no cause."""
    if ": " in (record.get("sentence") or ""):
        return str(record["sentence"])
    said = record.get("first_error_line") or next(iter((record.get("stderr") or "").splitlines()), "")
    return ": ".join(part for part in (record.get("sentence"), said) if part)


def took(record: Json) -> str:
    """Returns the duration of a run."""
    return duration(record["duration_ms"] / 1000) if record.get("duration_ms") is not None else ""


def _where(app: Json) -> str:
    schedule = app.get("schedule") or {}
    url = app.get("url") if app.get("live") else None
    return str(url or (f"next {ago(schedule['next'])}" if schedule.get("next") else ""))


def _error(row: Json) -> str:
    return str((row.get("error") or {}).get("sentence", ""))


def _field(name: str) -> Callable[[Json], object]:
    return lambda row: row.get(name)


def _when(name: str) -> Callable[[Json], object]:
    return lambda row: ago(row.get(name))


def _joined(name: str) -> Callable[[Json], object]:
    return lambda row: ", ".join(row.get(name) or [])


def _call(row: Json) -> str:
    return f"{row.get('method', '')} {row.get('path', '')}" + (f"?{row['query']}" if row.get("query") else "")


_ID = Column("ID", _field("id"))
_APP = Column("APP", _field("app"))
_STATE = Column("STATE", _field("state"))
_EXIT = Column("EXIT", _field("exit_code"))
_TOOK = Column("TOOK", took)
_WHY = Column("WHY", reason)
_BY = Column("BY", _field("actor"))

APPS = (
    Column("APP", _field("name")),
    Column("ROLE", _field("role")),
    Column("STATE", _state_of_app),
    Column("READY", ready_of_wanted),
    Column("RELEASE", _field("release")),
    Column("LIVE", lambda app: ago((app.get("live") or {}).get("at"))),
    Column("WHERE OR WHEN", _where),
)
REPLICAS = (
    Column("REPLICA", _field("name")),
    _STATE,
    Column("RELEASE", _field("release")),
    Column("HEALTHY", lambda row: {True: "yes", False: "no", None: ""}[row.get("healthy")]),
    Column("RESTARTS", _field("restarts")),
    Column("CPU", lambda row: cpus(row.get("usage"))),
    Column("MEMORY", lambda row: memory(row.get("usage"))),
    Column("MESSAGE", _field("message")),
)
JOBS = (
    _ID,
    Column("KIND", _field("kind")),
    _APP,
    _STATE,
    Column("ACCEPTED", _when("created_at")),
    Column("TOOK", lambda job: between(job.get("started_at"), job.get("ended_at"))),
    _BY,
    Column("ERROR", lambda job: _error(job) or job.get("waits") or ""),
)
STEPS = (
    Column("STEP", _field("name")),
    _STATE,
    Column("TOOK", lambda step: duration(step.get("seconds"))),
    Column("NOTE", lambda step: step.get("note") or _error(step)),
)
DEPLOYMENTS = (
    _ID,
    Column("KIND", _field("kind")),
    _STATE,
    Column("RELEASE", _field("release")),
    Column("REVISION", lambda row: short(row.get("revision"))),
    Column("LIVE", lambda row: "live" if row.get("live") else ""),
    Column("BEGAN", _when("created_at")),
    Column("JOB", _field("job")),
    _BY,
    Column("ERROR", _error),
)
RELEASES = (
    Column("RELEASE", _field("n")),
    _STATE,
    Column("LIVE", lambda row: "live" if row.get("live") else ago(row.get("live_at"))),
    Column("REVISION", lambda row: short(row.get("revision"))),
    Column("MADE", _when("created_at")),
    _BY,
    Column("IMAGE", lambda row: "pruned" if row.get("pruned_at") else row.get("image")),
)
SPECS = (
    Column("VERSION", _field("version")),
    Column("APPLIED", _when("at")),
    Column("BY", _field("actor")),
    Column("FIELDS", lambda row: ", ".join(row.get("spec") or {})),
)
RUNS = (
    _ID,
    Column("BEGAN", lambda run: ago(run.get("begun_at") or run.get("created_at"))),
    Column("VERDICT", lambda run: run.get("verdict") or run.get("trigger")),
    _STATE,
    _EXIT,
    _TOOK,
    _WHY,
)
ONEOFFS = (
    _ID,
    Column("BEGAN", lambda run: ago(run.get("begun_at") or run.get("created_at"))),
    Column("COMMAND", lambda run: shlex.join(run.get("command") or [])),
    _STATE,
    _EXIT,
    _TOOK,
    _BY,
    _WHY,
)
CALLS = (
    _ID,
    Column("CALLED", _when("created_at")),
    Column("REQUEST", _call),
    _STATE,
    _EXIT,
    _TOOK,
    _WHY,
)
SCHEDULES = (
    _APP,
    Column("SCHEDULE", lambda row: row["schedule"].get("text")),
    Column("STATE", lambda row: row["schedule"].get("state")),
    Column("NEXT", lambda row: local(row["schedule"].get("next"), row["schedule"].get("timezone") or "UTC")),
    Column("", lambda row: ago(row["schedule"].get("next"))),
    Column("LAST", lambda row: (row["schedule"].get("last") or {}).get("verdict")),
    Column("LAST 30", lambda row: bar(row.get("recent") or [])),
)
OCCURRENCES = (
    Column("DUE", _field("local")),
    Column("OFFSET", _field("offset")),
    Column("", _when("at")),
    Column("NOTE", _field("note")),
)


def ticks(zone: str) -> tuple[Column, ...]:
    """Returns the columns of a history, with its times in the schedule's zone."""
    return (
        Column("DUE", lambda tick: span(tick.get("scheduled_for"), tick.get("until"), zone)),
        Column("VERDICT", verdict),
        _STATE,
        _EXIT,
        Column("BEGAN", lambda tick: local(tick.get("begun_at"), zone)[11:19]),
        _TOOK,
        Column("RUN", _field("execution")),
        Column("TRY", lambda tick: tick["attempt"] if (tick.get("attempt") or 1) > 1 else ""),
        Column("WHY", lambda tick: tick.get("reason") or reason(tick)),
    )


ALERTS = (
    _ID,
    _APP,
    Column("ALERT", _field("kind")),
    Column("SEVERITY", _field("severity")),
    Column("SINCE", _when("raised_at")),
    Column("RESOLVED", _when("resolved_at")),
    Column("WHAT", _field("sentence")),
    Column("WAY OUT", lambda alert: alert.get("resolution") or alert.get("hint")),
)
DESTINATIONS = (
    Column("NAME", _field("name")),
    Column("ADDRESS", _field("url")),
    Column("FORMAT", _field("format")),
    Column("APPS", lambda row: ", ".join(row["apps"]) if row.get("apps") else "all"),
    Column("ALERTS", lambda row: ", ".join(row["kinds"]) if row.get("kinds") else "all"),
    Column("SEVERITY", _field("severity")),
    Column("ADDED", _when("created_at")),
    Column("BY", _field("created_by")),
)
DELIVERIES = (
    _ID,
    Column("EVENT", _field("event")),
    _APP,
    _STATE,
    Column("TRIES", _field("attempts")),
    Column("OUTCOME", _field("outcome")),
    Column("MADE", _when("created_at")),
    Column("AGAIN", _when("next_at")),
)
EVENTS = (
    Column("WHEN", lambda event: local(event.get("at"))),
    Column("EVENT", _field("kind")),
    _APP,
    Column("JOB", _field("job")),
    Column("WHAT", lambda event: happened(event.get("data") or {})),
)
CHECKS = (
    Column("CHECK", _field("name")),
    Column("STATUS", _field("status")),
    Column("MESSAGE", _field("message")),
)
SECRETS = (
    Column("SECRET", _field("name")),
    Column("VERSION", _field("version")),
    Column("SET", _when("at")),
    Column("BY", _field("set_by")),
    Column("STATE", lambda secret: _secret_state(secret)),
)
SNAPSHOTS = (
    _ID,
    Column("DATABASE", _field("database")),
    Column("TAKEN", _when("at")),
    Column("FOR", lambda each: f"{each['reason']} {each['release'] or ''}".strip()),
    Column("SIZE", lambda each: _bytes(each["bytes"])),
    Column("ROWS", _field("rows")),
    Column("DRILLED", _when("drilled_at")),
    Column("FILE", _field("file")),
)
DATABASES = (
    Column("APP", _field("app")),
    Column("DATABASE", _field("name")),
    Column("SIZE", lambda each: _bytes(each["bytes"], "not seen yet")),
    Column("CONNECTIONS", _field("connections")),
    Column("BACKUPS", _field("schedule")),
    Column("LAST BACKUP", _when("last_backup")),
    Column("NEXT", _when("next_backup")),
    Column("DRILLED", _when("drilled_at")),
)
SERVICES = (
    Column("APP", _field("app")),
    Column("KIND", _field("kind")),
    Column("NAME", _field("name")),
    Column("VARIABLE", _field("variable")),
    Column("SINCE", _when("since")),
    Column("STATE", lambda part: _part_state(part)),
)
TOKENS = (
    _ID,
    Column("NAME", _field("name")),
    Column("SCOPES", _joined("scopes")),
    Column("APPS", lambda token: ", ".join(token["apps"]) if token.get("apps") else "all"),
    Column("MADE", _when("created_at")),
    Column("BY", _field("created_by")),
    Column("USED", _when("last_used_at")),
)
SESSIONS = (
    _ID,
    Column("TOKEN", _field("token")),
    Column("BEGAN", _when("created_at")),
    Column("USED", _when("last_used_at")),
    Column("ENDS", _when("expires_at")),
    Column("FROM", _field("address")),
    Column("BROWSER", _field("agent")),
)
STATES = (
    Column("BEGAN", lambda row: local(row.get("began_at"))),
    _STATE,
    Column("FOR", lambda row: between(row.get("began_at"), row.get("ended_at"))),
    Column("WHY", _field("reason")),
)
SETTINGS = (
    Column("SETTING", _field("name")),
    Column("VALUE", lambda row: ("(not shown)" if row["set"] else "") if row["secret"] else row["value"]),
    Column("", lambda row: "set" if row["set"] else "default"),
)
WORKERS = (
    Column("WORKER", _field("name")),
    Column("CLASS", _field("class")),
    Column("BUSY", lambda worker: f"{worker.get('busy') or 0}/{worker.get('slots')}"),
    Column("SEEN", _when("seen_at")),
    Column("STARTED", _when("started_at")),
    Column("ENGINE", lambda worker: (worker.get("engine") or "")[:8]),
    Column("TAKES", lambda worker: " ".join(c for c in worker.get("capabilities") or () if c[:7] != "engine:")),
    Column("REMARK", lambda worker: "draining" if worker.get("draining_at") else worker.get("engine_error")),
)


def _bytes(size: int | None, without: str = "not whole") -> str:
    if size is None:
        return without
    return f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 1024:.1f} KiB"


def _part_state(part: Json) -> str:
    if not part["made"]:
        return "reserved, not made yet"
    return "in use" if part["named"] else "kept: the infraspec names it no longer"


def _secret_state(secret: Json) -> str:
    if secret.get("missing"):
        return "missing"
    return "" if secret.get("named") else "not named by the infraspec: no container gets it"


def happened(data: Json) -> str:
    """Returns an event's data in one line."""
    error = data.get("error") or {}
    parts = [
        f"{name} {value}" for name, value in data.items() if name != "error" and isinstance(value, str | int | float)
    ]
    return ", ".join([*parts, *([error.get("sentence", "")] if isinstance(error, dict) and error else [])])
