"""A forge of an app with a live release. If the registered infraspec differs from that of the live release, the forge
makes a new release of the registered infraspec and the same image.

Whether they differ is decided when the forge begins, because a deploy that was accepted earlier may have gone live by
then.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import insert, select, update

from norn_tasks.domain.errors import Conflict
from norn_tasks.domain.infraspec import Infraspec, from_json
from norn_tasks.domain.infraspec.effect import differences
from norn_tasks.domain.jobs.deployment import DeploymentKind
from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.domain.jobs.requests import ForgeJobRequest
from norn_tasks.store.database.session import Row, Tx
from norn_tasks.store.releases import releases
from norn_tasks.store.releases.deploying import next_release
from norn_tasks.store.tables import AppRow, DeploymentRow, JobRow, ReleaseRow


def begun(tx: Tx, row: Row) -> Row:
    """Returns the row of a job that begins. For a forge, the row then names the release to roll out, if there is one.

    If the specs do not differ, the job gets the spec of the live release, which stays live. The row of a forge that had
    already begun, or that tears the app down first, is returned unchanged.
    """
    if row["kind"] != JobKind.FORGE or row["deployment"] is not None or ForgeJobRequest.from_json(row["args"]).force:
        return row
    live = releases.live(tx, row["app"])
    if ForgeJobRequest.from_json(row["args"]).move_from is not None:
        return _moving(tx, row, live)
    if live is None:
        return row
    changed = _release(tx, row, live) if differs(tx, live, from_json(row["spec"])) else {"spec": live["spec"]}
    tx.execute(update(JobRow).where(JobRow.id == row["id"]).values(changed))
    return {**row, **changed}  # type: ignore[return-value]


def _moving(tx: Tx, row: Row, live: Row | None) -> Row:
    """Returns the row of a move, with the new release that it rolls out. This release has the live release's infraspec,
    or the registered one if that differs.

    Raises Conflict if an earlier job has moved the app, or torn it down.
    """
    cluster = tx.scalar(select(AppRow.cluster).where(AppRow.name == row["app"]))
    if live is None or cluster == row["cluster"]:
        why = "has no live release" if live is None else f"is on {cluster} already"
        raise Conflict(f"{row['app']} {why}, so there is nothing to move", hint=f"norn status {row['app']}")
    if not differs(tx, live, from_json(row["spec"])):
        row = {**row, "spec": live["spec"]}  # type: ignore[assignment]
    changed = {**_release(tx, row, live), "spec": row["spec"]}
    tx.execute(update(JobRow).where(JobRow.id == row["id"]).values(changed))
    return {**row, **changed}  # type: ignore[return-value]


def differs(tx: Tx, live: Row, wanted: Infraspec) -> bool:
    """Returns True if the wanted infraspec changes how the app runs, and was changed after the live release was
    accepted.

    A release from a repository has the infraspec of its revision; an infraspec that was registered earlier does not
    replace it.
    """
    release = select(ReleaseRow.registered).where(ReleaseRow.app == live["app"], ReleaseRow.n == live["n"])
    before = tx.scalar(release)
    if before is not None and not differences(from_json(before), wanted):
        return False
    return bool(differences(from_json(live["spec"]), wanted))


def _release(tx: Tx, row: Row, live: Row) -> dict[str, Any]:
    """Makes the release and its deployment; returns the new values of the job's row."""
    tx.execute(select(AppRow.name).where(AppRow.name == row["app"]).with_for_update())
    n = next_release(tx, row["app"])
    deployment = {
        "app": row["app"], "job_id": row["id"], "kind": str(DeploymentKind.FORGE), "revision": live["revision"],
        "release": n, "actor": row["actor"],
    }  # fmt: skip
    made = int(tx.execute(insert(DeploymentRow).values(deployment).returning(DeploymentRow.id)).scalar_one())
    r = ReleaseRow
    image = tx.execute(
        select(r.image, r.image_id, r.engine, r.published, r.key, r.stages, r.revision)
        .where(r.app == live["app"], r.n == live["n"])
    )  # fmt: skip
    tx.execute(
        insert(r).values(app=row["app"], n=n, spec=row["spec"], registered=row["spec"], **image.mappings().one())
    )
    request = replace(ForgeJobRequest.from_json(row["args"]), image_id=live["image_id"])
    return {"deployment": made, "release": n, "args": request.to_json()}
