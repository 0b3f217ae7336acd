"""Uploaded sources: each source tree of an app is stored once, in pieces, for as long as a release or a job may need
it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.dialects.postgresql import distinct_on

from norn_tasks.domain.errors import Conflict, NotFound, TooManyRequests
from norn_tasks.domain.jobs.requests import REVISION
from norn_tasks.domain.sources.source_tree import Tree
from norn_tasks.store.database.columns import NOW
from norn_tasks.store.database.session import Tx
from norn_tasks.store.rules.lists import OPEN_STATES
from norn_tasks.store.tables import SourcePieceRow, SourceRow

AGAIN = "norn deploy ./DIRECTORY uploads it again"


@dataclass(frozen=True)
class Upload:
    """An uploaded source."""

    revision: str
    files: int
    size: int
    actor: str
    created_at: datetime


IDLE_MAX = 20
"""The most sources of an app that no release and no job needs; each may have up to NORN_SOURCE_MAX bytes."""
_NEEDED = f"""EXISTS (SELECT 1 FROM releases r WHERE r.app = s.app AND r.revision = s.revision
                    AND r.live_at IS NOT NULL AND r.pruned_at IS NULL)
   OR EXISTS (SELECT 1 FROM jobs j WHERE j.app = s.app AND j.exclusive AND j.state IN {OPEN_STATES}
                    AND j.args ->> '{REVISION}' = s.revision)"""  # noqa: S608 - built from a constant
_IDLE = text(f"SELECT count(*) FROM sources s WHERE s.app = :app AND NOT ({_NEEDED})")  # noqa: S608 - a constant


def keep(tx: Tx, app: str, tree: Tree, pieces: Iterable[bytes], actor: str) -> bool:
    """Stores an archive; returns False if its tree is already stored. The caller has locked the app's row.

    Raises Conflict if another tree has the same revision, which is very unlikely; TooManyRequests if the app already
    has IDLE_MAX sources that nothing needs.
    """
    known = tx.scalar(select(SourceRow.tree).where(SourceRow.app == app, SourceRow.revision == tree.revision))
    if known is not None:
        if known != tree.digest:
            raise Conflict(
                f"{app} has another source that is called {tree.revision}", hint="change any file and upload it again"
            )
        touch(tx, app, tree.revision)
        return False
    if int(tx.scalar(_IDLE, {"app": app}) or 0) >= IDLE_MAX:
        sentence = f"{app} has {IDLE_MAX} uploaded sources that no release and no job needs"
        raise TooManyRequests(
            sentence, hint="deploy one of them; the others are deleted a day after their last use", retry_after=3600
        )
    row = {"tree": tree.digest, "files": tree.files, "size": tree.size, "actor": actor}
    tx.execute(insert(SourceRow).values(app=app, revision=tree.revision, **row))
    for n, piece in enumerate(pieces):
        tx.execute(insert(SourcePieceRow).values(app=app, revision=tree.revision, n=n, data=piece))
    return True


def touch(tx: Tx, app: str, revision: str) -> None:
    """Records that a source is being used; raises NotFound if the source is not stored."""
    used = update(SourceRow).where(SourceRow.app == app, SourceRow.revision == revision).values(used_at=NOW)
    if not tx.execute(used).rowcount:
        raise NotFound(f"{app} has no uploaded source {revision}", hint=AGAIN)


def newest(tx: Tx, apps: Iterable[str]) -> Mapping[str, Upload]:
    """Returns, for each of the apps that has one, the source that was uploaded or deployed last."""
    s = SourceRow
    query = (
        select(s.app, s.revision, s.files, s.size, s.actor, s.created_at)
        .where(s.app.in_(list(apps)))
        .ext(distinct_on(s.app))
        .order_by(s.app, s.used_at.desc())
    )
    return {row.app: Upload(row.revision, row.files, row.size, row.actor, row.created_at) for row in tx.execute(query)}


def forget_all(tx: Tx, app: str) -> None:
    """Deletes every source of an app."""
    tx.execute(delete(SourceRow).where(SourceRow.app == app))


_UNNEEDED = text(f"""
DELETE FROM sources WHERE (app, revision) IN (
 SELECT s.app, s.revision FROM sources s WHERE s.used_at < clock_timestamp() - interval '1 day' AND NOT ({_NEEDED})
 LIMIT :most FOR UPDATE SKIP LOCKED)""")  # noqa: S608 - built from a constant


def forget_unneeded(tx: Tx, *, most: int = 1000) -> int:
    """Deletes sources that no stored release or waiting job needs, a day after their last use; returns the number."""
    return tx.execute(_UNNEEDED, {"most": most}).rowcount


def piece(tx: Tx, app: str, revision: str, n: int) -> bytes | None:
    """Returns the archive's chunk number `n`; None when there is none."""
    p = SourcePieceRow
    data = tx.scalar(select(p.data).where(p.app == app, p.revision == revision, p.n == n))
    return None if data is None else bytes(data)
