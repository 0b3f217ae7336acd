"""`norn jobs`: lists, shows, follows and cancels jobs (accepted pieces of work)."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from click.core import ParameterSource

from norn_cli.answers import Json
from norn_cli.display.formats import Format
from norn_cli.display.output import Output
from norn_cli.display.tables import JOBS, STEPS
from norn_cli.display.times import ago, between
from norn_cli.errors import Usage
from norn_cli.following import work
from norn_cli.following.follow import Following, Lost, OutputChunk, pieces
from norn_cli.options import WaitOptions, commands, forms, limit_option, work_options
from norn_cli.session import Session, pass_session

_JOB = click.argument("job", type=click.IntRange(min=1))


def _filters(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `-n`, and the filters of the list of jobs, which are passed on as one argument `filters`."""

    @click.option("--state", help="Only jobs in this state.")
    @click.option("--kind", help="Only jobs of this kind, such as deploy.")
    @click.option("--class", "job_class", help="Only jobs of this class: invoke, cron, deploy or observe.")
    @limit_option()
    @wraps(function)
    def with_filters(*args: Any, state: str | None, kind: str | None, job_class: str | None, **kwargs: Any) -> Any:
        wanted = {"state": state, "kind": kind, "class": job_class}
        return function(*args, filters={name: value for name, value in wanted.items() if value}, **kwargs)

    return with_filters


@commands("jobs", invoke_without_command=True)
@_filters
@click.pass_context
def command(context: click.Context, filters: dict[str, str], limit: int) -> None:
    """Lists, shows, follows and cancels jobs; without a command it lists them."""
    if context.invoked_subcommand is None:
        _list(context.ensure_object(Session), filters, limit)
    elif filters or context.get_parameter_source("limit") is ParameterSource.COMMANDLINE:
        word = context.invoked_subcommand
        raise Usage(
            f"options before {word} only filter a list", hint=f"norn jobs {word} --help lists the options of {word}"
        )


@command.command("list")
@_filters
@pass_session
def list_jobs(session: Session, filters: dict[str, str], limit: int) -> None:
    """Lists jobs, newest first; --app names an app."""
    _list(session, filters, limit)


def _list(session: Session, filters: dict[str, str], limit: int) -> None:
    if session.app_option:
        filters = {**filters, "app": session.app_option}
    session.output.page(session.client.jobs(limit, **filters), JOBS)


@command.command("show")
@_JOB
@pass_session
def show(session: Session, job: int) -> None:
    """Shows a job with its steps."""
    found = session.client.job(job)
    session.output.data(found, lambda: _show(session.output, found), [str(found["id"])])


@command.command("watch")
@_JOB
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
              help="Stop waiting after this many seconds (exit 7); the job goes on.")  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="Show what the steps write, as they write it.")
@pass_session
def watch(session: Session, job: int, timeout: float | None, verbose: bool) -> None:
    """Follows a job to its end, as the command that started it does."""
    session.client.job(job)  # reports a wrong number at once
    work.see_through(session, {"job": job}, WaitOptions(timeout=timeout, verbose=verbose))


@command.command("logs")
@_JOB
@click.option("--step", metavar="NAME", help="Only the output of this step.")
@click.option("-f", "--follow", is_flag=True, help="Print new output as the steps write it.")
@forms(Format.JSON, Format.YAML, because="a line has no name")
@pass_session
def logs(session: Session, job: int, step: str | None, follow: bool) -> None:
    """Prints the output of a job's steps.

    With -o json it prints the chunks in which the output arrived, each an object with its time and stream.
    """
    if follow:
        session.client.job(job)  # reports a wrong number at once
    if not session.output.for_people:
        for piece in pieces(session.client, job, step or "", follow=follow):
            session.output.one(piece)
        return
    if not follow:
        for line in session.client.job_log(job, step=step or ""):
            session.output.stream(line)
        return
    for change in Following(session.client, job, logs=True).changes(tick=1, until=None, every_line=True):
        if isinstance(change, OutputChunk) and step in (None, change.step):
            session.output.stream(change.line)
        elif isinstance(change, Lost):
            raise change.error


@command.command("cancel")
@_JOB
@work_options
@pass_session
def cancel(session: Session, job: int, waiting: WaitOptions) -> None:
    """Asks a job to stop, and waits until it has."""
    asked = session.client.cancel_job(job)
    ended = asked if waiting.detach else work.wait(session, job, waiting)
    session.output.record(ended, [("job", ended["id"]), ("state", ended["state"])], ended["id"])


def _show(output: Output, job: Json) -> None:
    error = job.get("error") or {}
    output.facts(
        [
            ("job", job["id"]),
            ("kind", job["kind"]),
            ("app", job.get("app")),
            ("state", job["state"]),
            ("waits", (job.get("waits") or "").removeprefix("waits ") or None),
            ("by", job.get("actor")),
            ("accepted", ago(job.get("created_at"))),
            ("began", ago(job.get("started_at"))),
            ("queued for", between(job.get("created_at"), job.get("started_at"))),
            ("took", between(job.get("started_at"), job.get("ended_at"))),
            ("asked to stop", ago(job.get("cancel_requested_at"))),
            ("deployment", job.get("deployment")),
            ("release", job.get("release")),
            ("execution", job.get("execution")),
            ("claims", job.get("claims")),
            ("error", error.get("sentence")),
            ("hint", error.get("hint")),
        ]
    )
    if job.get("steps"):
        output.line()
        output.table(job["steps"], STEPS)
