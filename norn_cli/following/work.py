"""Follows accepted work: shows its steps and prints the outcome. If the command stops waiting, it prints how to follow
the work again.
"""

from __future__ import annotations

import time
from collections import deque

from norn_cli.answers import Json
from norn_cli.client import Client
from norn_cli.display.live import StepLine
from norn_cli.display.styles import Style, Styled
from norn_cli.display.times import between, parse
from norn_cli.errors import CliError, Detached, JobFailed, Unreachable, WaitedEnough
from norn_cli.following.follow import Away, Following, JobUpdate, Lost, OutputChunk
from norn_cli.options import WaitOptions
from norn_cli.session import Session

_TICK_SECONDS = 0.1
_LAST_LINES = 10
"""How many lines of a failed step are printed."""
_LONG_IN_QUEUE = 2.0
"""The outcome names the time in the queue if it is at least this many seconds."""

_OUTCOMES = {
    "forge": "{app} is forged",
    "deploy": "{app} is live as release {release}",
    "rollback": "{app} is back on release {release}",
    "restart": "{app} has been restarted",
    "scale": "{app} is scaled",
    "repair": "{app} has all its replicas again",
    "compare": "{app} was compared with its live release",
    "teardown": "{app} is torn down",
    "rotate-key": "all secrets are sealed to a new key",
    "import-secrets": "the secrets of {app} are set",
}


def see_through(session: Session, accepted: Json, waiting: WaitOptions) -> None:
    """Waits for accepted work and prints its outcome; raises JobFailed if it did not succeed.

    With `detach` it does not wait, and prints the accepted job instead.
    """
    if waiting.detach:
        print_accepted(session, accepted)
        return
    job = wait(session, accepted["job"], waiting)
    session.output.data(job, lambda: print_outcome(session, job), [str(job["id"])])
    raise_if_failed(session.client, job)


def print_accepted(session: Session, accepted: Json) -> None:
    """Prints the id of a job that the command does not wait for, and how to follow it."""
    job = str(accepted["job"])
    session.output.data(accepted, lambda: session.output.line(job), [job])
    session.output.hint(f"norn jobs watch {job}")


def wait(session: Session, job: int, waiting: WaitOptions) -> Json:
    """Prints the progress of a job until it ends, and returns the job. Raises WaitedEnough or Detached if the command
    stops waiting, and CliError if the job can no longer be followed.
    """
    view = StepLine(session.output, lambda step: _tail(session.client, job, step), verbose=waiting.verbose)
    following = Following(session.client, job, logs=waiting.verbose or session.output.live)
    until = time.monotonic() + waiting.timeout if waiting.timeout else None
    try:
        ended = _show(view, following, until, waiting.verbose)
    except KeyboardInterrupt:
        raise Detached(f"detached; job {job} goes on", hint=_ways_back(job)) from None
    except Unreachable as error:
        raise Unreachable(f"{error.sentence}; job {job} goes on without it", hint=_ways_back(job)) from error
    finally:
        view.close()
    if not ended:
        raise WaitedEnough(f"job {job} has not ended within {waiting.timeout:g} s; it goes on", hint=_ways_back(job))
    return ended


def raise_if_failed(client: Client, job: Json) -> None:
    """Raises JobFailed with the sentence of the failed step, unless the job succeeded."""
    if job["state"] == "succeeded":
        return
    error = job.get("error") or {}
    failed = failed_step(job)
    place = f"{failed['name']}: " if failed else ""
    sentence = error.get("sentence") or f"job {job['id']} ended {job['state']}"
    hint = error.get("hint") or f"norn jobs logs {job['id']}"
    raise JobFailed(place + sentence, hint=hint, word=error.get("code") or "")


def failed_step(job: Json) -> Json | None:
    """Returns the step at which a job failed, if there is one."""
    return next((step for step in job.get("steps") or [] if step["state"] == "failed"), None)


def last_lines(client: Client, job: int, step: Json) -> list[str]:
    """Returns the last lines that a step wrote; all of them if they are the mistakes of a spec."""
    count = None if (step.get("error") or {}).get("code") == "spec_invalid" else _LAST_LINES
    return list(deque((line for line in client.job_log(job, step=step["name"]) if line.strip()), maxlen=count))


def _show(view: StepLine, following: Following, until: float | None, every_line: bool) -> Json | None:
    for change in following.changes(tick=_TICK_SECONDS, until=until, every_line=every_line):
        if isinstance(change, JobUpdate):
            view.seen(change.job)
            if change.ended:
                return change.job
        elif isinstance(change, OutputChunk):
            view.wrote(change.step, change.line)
        elif isinstance(change, Away):
            view.away(change.error.sentence)
        elif isinstance(change, Lost):
            raise change.error
        view.tick()
    return None


def _tail(client: Client, job: int, step: Json) -> list[str]:
    try:
        return last_lines(client, job, step)
    except CliError:
        return []  # the step's error is printed all the same


def print_outcome(session: Session, job: Json) -> None:
    """Prints what a job has changed; after a failure, which release is still live."""
    output = session.output
    if job["state"] != "succeeded":
        _note_live_release(session, job)
        return
    outcome = _OUTCOMES.get(job["kind"], "{kind} succeeded").format(**{"release": "", **job})
    took = _took(job)
    output.line(Styled(outcome, Style.GOOD), f" ({took})" if took else "")
    if url := _app_of(session, job).get("url"):
        output.line(url)


def _took(job: Json) -> str:
    """Returns how long the user waited for a job, with the time in the queue if that was `_LONG_IN_QUEUE` or more."""
    accepted, began = job.get("created_at"), job.get("started_at")
    took = between(accepted, job.get("ended_at"))
    if took and accepted and began and (parse(began) - parse(accepted)).total_seconds() >= _LONG_IN_QUEUE:
        return f"{took}, of which {between(accepted, began)} in the queue"
    return took


def _note_live_release(session: Session, job: Json) -> None:
    if live := _app_of(session, job).get("live"):
        session.output.say(Styled("note: ", Style.CARE), f"release {live['release']} is still live")


def _app_of(session: Session, job: Json) -> Json:
    """Returns the app of a rollout, for a remark about it; nothing for other jobs, or if it cannot be read."""
    if job["kind"] not in ("deploy", "rollback"):
        return {}
    try:
        return session.client.app(job["app"])
    except CliError:
        return {}


def _ways_back(job: int) -> str:
    return f"norn jobs watch {job} follows it again, norn jobs show {job} shows it, norn jobs cancel {job} ends it"
