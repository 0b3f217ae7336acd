"""Deploys the apps of one directory together: the directory is packed once, and uploaded for each app.

All infraspecs are applied, and all new apps forged, before the first deploy is requested. So a mistake in an infraspec
changes nothing that runs. If a deploy fails, the others go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from norn_cli.answers import Json
from norn_cli.display.formats import Format
from norn_cli.display.output import Output
from norn_cli.display.styles import Style, Styled
from norn_cli.errors import CliError, JobFailed, Refused
from norn_cli.following import work
from norn_cli.options import WaitOptions
from norn_cli.session import Session
from norn_cli.uploads import uploading
from norn_cli.uploads.uploading import Local


@dataclass(frozen=True)
class Wanted:
    """An app to deploy. `named`: the server has the source, in a repository or a directory that it knows, so nothing is
    uploaded.
    """

    place: Local
    named: bool
    ref: str | None = None


def deploy(session: Session, apps: Sequence[Wanted], waiting: WaitOptions) -> None:
    """Deploys these apps of a directory; raises JobFailed with the reason of each deploy that failed."""
    until = uploading.deadline(waiting)
    bodies = _prepared(session, apps, waiting, until)
    accepted: dict[str, Json] = {}
    failed: dict[str, str] = {}
    for app, body in bodies.items():
        try:
            accepted[app] = session.client.work(app, "deploy", body)
        except Refused as error:
            failed[app] = error.sentence
    if waiting.detach:
        _print_accepted(session.output, accepted)
    else:
        ended = [
            _followed(session, app, each, uploading.left(waiting, until), failed) for app, each in accepted.items()
        ]
        session.output.data({"items": ended}, lambda: None, [str(job["id"]) for job in ended])
    if failed:
        reasons = "; ".join(f"{app}: {sentence}" for app, sentence in failed.items())
        raise JobFailed(f"{len(failed)} of {len(bodies)} apps were not deployed: {reasons}", hint="norn status")


def _print_accepted(output: Output, accepted: dict[str, Json]) -> None:
    jobs = [str(each["job"]) for each in accepted.values()]
    output.data({"items": list(accepted.values())}, lambda: output.line("\n".join(jobs)), jobs)
    for app, job in zip(accepted, jobs, strict=True):
        output.hint(f"{app}: norn jobs watch {job}")


def _prepared(
    session: Session, apps: Sequence[Wanted], waiting: WaitOptions, until: float | None
) -> dict[str, dict[str, Any]]:
    """Applies, uploads and forges what is needed, and returns the body of each app's deploy."""
    here = [wanted.place for wanted in apps if not wanted.named]
    for place in here:
        uploading.require_uploadable(place)
    known = {place.app: uploading.applied(session, place) for place in here}
    built = [place for place in here if not place.of_image]
    source = uploading.packed(session, built) if built else None
    revisions = {place.app: uploading.uploaded(session, place, source) for place in built if source is not None}
    for app, state in known.items():
        if not uploading.is_forged(state):
            uploading.forge(session, app, uploading.left(waiting, until))
    return {
        wanted.place.app: {"ref": wanted.ref} if wanted.named else {"source": revisions.get(wanted.place.app)}
        for wanted in apps
    }


def _followed(session: Session, app: str, accepted: Json, waiting: WaitOptions, failed: dict[str, str]) -> Json:
    """Prints the progress of a deploy until it ends, and returns its job; notes a failure in `failed`."""
    session.output.say(Styled(app, Style.STRONG))
    job = work.wait(session, accepted["job"], waiting)
    if session.output.form is Format.TABLE:
        work.print_outcome(session, job)
    try:
        work.raise_if_failed(session.client, job)
    except CliError as error:
        failed[app] = error.sentence
    return job
