"""`norn worker`: the processes that do the work."""

from __future__ import annotations

import time
from typing import Any

import click

from norn_cli.errors import Detached, WaitedEnough
from norn_cli.options import commands
from norn_cli.output import Style, Styled
from norn_cli.session import Session, pass_session
from norn_cli.tables import WORKERS

Json = dict[str, Any]
_LOOK_SECONDS = 0.5


@commands("worker")
def command() -> None:
    """Lists the workers, and has one leave."""


@command.command("list")
@pass_session
def list_workers(session: Session) -> None:
    """Lists the workers, with what they are busy with and when they last spoke."""
    session.output.page(session.client.workers(), WORKERS, "name")


@command.command("drain")
@click.argument("name")
@click.option("--detach", is_flag=True, help="Do not wait until it has left.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
              help="Stop waiting then (exit 7); it goes on draining.")  # fmt: skip
@pass_session
def drain(session: Session, name: str, detach: bool, timeout: float | None) -> None:
    """Has the worker NAME finish what it runs, take nothing more, and leave.

    Whoever supervises it (norn up, a container's restart policy) starts another in its place: stop it there if the
    machine is to rest.
    """
    draining = session.client.drain_worker(name)
    if not detach:
        _await_leave(session, draining, timeout)
    outcome = "drains" if detach else "has left"
    session.output.data(draining, lambda: session.output.line(f"{name} {outcome}"), [name])


def _await_leave(session: Session, draining: Json, timeout: float | None) -> None:
    name, until, told = draining["name"], time.monotonic() + timeout if timeout else None, None
    try:
        while (worker := _still_there(session, draining)) is not None:
            if worker["busy"] != told:
                told = worker["busy"]
                remark = f"{told} {'job' if told == 1 else 'jobs'} to go" if told else "nothing left to do"
                session.output.say(Styled("… ", Style.CARE), f"{name} drains: {remark}")
            if until is not None and time.monotonic() > until:
                raise WaitedEnough(f"{name} has not left within {timeout:g} s; it goes on draining", hint=_HINT)
            time.sleep(_LOOK_SECONDS)
    except KeyboardInterrupt:
        raise Detached(f"detached; {name} goes on draining", hint=_HINT) from None


_HINT = "norn worker list"


def _still_there(session: Session, draining: Json) -> Json | None:
    """Answers the worker as it is now; None when it has left, also when another process has its name already."""
    same = [
        worker
        for worker in session.client.workers()["items"]
        if (worker["name"], worker["pid"]) == (draining["name"], draining["pid"]) and worker.get("draining_at")
    ]
    return same[0] if same else None
