"""`norn why`: why an app is not as it should be, put together from its status, its last job and that job's logs."""

from __future__ import annotations

from typing import Any

from norn_cli.client import Client
from norn_cli.errors import mistake_line
from norn_cli.options import app_argument
from norn_cli.options import command as norn_command
from norn_cli.output import Output, Style, Styled
from norn_cli.session import Session, pass_session
from norn_cli.tables import reason
from norn_cli.times import ago
from norn_cli.work import failed_step, last_lines

Json = dict[str, Any]

_LINES = 20
_BACK = 10

# What helps where nothing failed: the state itself says what is missing.
_NEXT = {
    "broken": "norn validate",
    "unforged": "norn forge {name}",
    "never deployed": "norn deploy {name}",
    "stopped": "norn scale {name} --reset",
    "paused": "norn cron resume {name}",
    "degraded": "norn logs {name}",
    "down": "norn logs {name}",
}


@norn_command("why")
@app_argument
@pass_session
def command(session: Session, app: str | None) -> None:
    """Says why an app is not as it should be: what failed last, with its last lines and the way out."""
    found = session.client.app(session.app(app))
    job = _last_job(session.client, found["name"])
    failed = job if job and job["state"] not in ("queued", "running", "succeeded") else None
    step = failed_step(failed) if failed else None
    lines = last_lines(session.client, failed["id"], step["name"], _LINES) if failed and step else []
    answer = {"app": found, "job": failed, "step": step, "lines": lines}
    session.output.data(answer, lambda: _tell(session.output, found, failed, step, lines), [found["name"]])


def _last_job(client: Client, app: str) -> Json | None:
    """The return after a failed deploy is Norn's own doing: why it was needed is told by the deploy before it."""
    newest = client.jobs(_BACK, app=app, **{"class": "deploy"})["items"]
    asked = [job for job in newest if "return_to" not in (job.get("args") or {})]
    return client.job(asked[0]["id"]) if asked else None


def _tell(output: Output, app: Json, job: Json | None, step: Json | None, lines: list[str]) -> None:
    output.line(Styled(app["name"], Style.STRONG), f" is {app['state']}")
    for mistake in app.get("mistakes") or []:
        output.line(mistake_line(mistake))
    for replica in app.get("replicas") or []:
        if replica.get("message"):
            output.line(f"{replica['name']}: {replica['message']}")
    if app.get("message"):
        output.line(app["message"])
    run_failed = _tell_run(output, (app.get("recent") or [None])[0])
    if job:
        _tell_job(output, job, step, lines)
    elif not run_failed:
        output.hint(_NEXT.get(app["state"], "no forge or deploy of it failed last").format(**app))


def _tell_run(output: Output, run: Json | None) -> bool:
    """Tells a last run or call that went wrong; false when there is none."""
    if not run or run.get("state") in ("pending", "running", "succeeded"):
        return False
    when = ago(run.get("finished_at") or run.get("created_at"))
    output.line(f"its last run {run['id']} {run['state']} {when}: {reason(run)}")
    if run.get("hint"):
        output.line(Styled("hint: ", Style.FAINT), run["hint"])
    return True


def _tell_job(output: Output, job: Json, step: Json | None, lines: list[str]) -> None:
    error = job.get("error") or {}
    place = f" at {step['name']}" if step else ""
    output.line(f"{job['kind']} {job['state']} {ago(job.get('ended_at'))}{place} (job {job['id']})")
    for line in lines:
        output.stream(f"    {line}")
    if error.get("sentence"):
        output.line(Styled("error: ", Style.BAD), error["sentence"])
    if error.get("hint"):
        output.line(Styled("hint: ", Style.FAINT), error["hint"])
