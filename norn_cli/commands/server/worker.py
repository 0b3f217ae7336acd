"""`norn worker`: lists and drains workers."""

from __future__ import annotations

import time

import click

from norn_cli.answers import Json
from norn_cli.display.styles import Style, Styled
from norn_cli.display.tables import WORKERS
from norn_cli.errors import Detached, WaitedEnough
from norn_cli.options import commands
from norn_cli.session import Session, pass_session

_LOOK_SECONDS = 0.5


@commands("worker")
def command() -> None:
    """Lists and drains workers."""


@command.command("list")
@pass_session
def list_workers(session: Session) -> None:
    """Lists the workers, with their running jobs and the time of their last report."""
    session.output.page(session.client.workers(), WORKERS, "name")


@command.command("drain")
@click.argument("name")
@click.option("--detach", is_flag=True, help="Do not wait until the worker has left.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
              help="Stop waiting after this many seconds (exit 7); the worker goes on draining.")  # fmt: skip
@pass_session
def drain(session: Session, name: str, detach: bool, timeout: float | None) -> None:
    """Lets the worker NAME finish its running jobs, take no more, and leave.

    Its supervisor (norn up, a container's restart policy) then starts another worker. To shut the machine down, stop
    the supervisor.
    """
    draining = session.client.drain_worker(name)
    if not detach:
        _await_leave(session, draining, timeout)
    outcome = "drains" if detach else "has left"
    session.output.data(draining, lambda: session.output.line(f"{name} {outcome}"), [name])


def _await_leave(session: Session, draining: Json, timeout: float | None) -> None:
    name, until, shown = draining["name"], time.monotonic() + timeout if timeout else None, None
    try:
        while (worker := _still_there(session, draining)) is not None:
            if worker["busy"] != shown:
                shown = worker["busy"]
                remark = f"{shown} {'job' if shown == 1 else 'jobs'} to go" if shown else "nothing left to do"
                session.output.say(Styled("… ", Style.CARE), f"{name} drains: {remark}")
            if until is not None and time.monotonic() > until:
                raise WaitedEnough(f"{name} has not left within {timeout:g} s; it goes on draining", hint=_HINT)
            time.sleep(_LOOK_SECONDS)
    except KeyboardInterrupt:
        raise Detached(f"detached; {name} goes on draining", hint=_HINT) from None


_HINT = "norn worker list"


def _still_there(session: Session, draining: Json) -> Json | None:
    """Returns the worker as it is now; None if it has left, even if another process already has its name."""
    same = [
        worker
        for worker in session.client.workers()["items"]
        if (worker["name"], worker["pid"]) == (draining["name"], draining["pid"]) and worker.get("draining_at")
    ]
    return same[0] if same else None
