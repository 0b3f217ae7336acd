"""Uploaded sources: kept once per tree of an app, in pieces, as long as a release or a job may need them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.dialects.postgresql import distinct_on

from norn_tasks.domain.errors import Conflict, NotFound, SourceError
from norn_tasks.domain.source_tree import Tree
from norn_tasks.store.session import Database, Tx
from norn_tasks.store.tables import SourcePiece, SourceRow

_NOW = text("clock_timestamp()")
_AGAIN = "norn deploy ./DIRECTORY uploads it again"


@dataclass(frozen=True)
class Upload:
    """An uploaded source."""

    revision: str
    files: int
    size: int
    actor: str
    created_at: datetime


def keep(tx: Tx, app: str, tree: Tree, pieces: Iterable[bytes], actor: str) -> bool:
    """Keeps an archive; False when its tree is kept already. The caller holds the app's row.

    Raises Conflict for another tree whose name begins alike, which takes some luck.
    """
    known = tx.scalar(select(SourceRow.tree).where(SourceRow.app == app, SourceRow.revision == tree.revision))
    if known is not None:
        if known != tree.digest:
            raise Conflict(
                f"{app} has another source that is called {tree.revision}", hint="change any file and upload it again"
            )
        touch(tx, app, tree.revision)
        return False
    row = {"tree": tree.digest, "files": tree.files, "size": tree.size, "actor": actor}
    tx.execute(insert(SourceRow).values(app=app, revision=tree.revision, **row))
    for n, piece in enumerate(pieces):
        tx.execute(insert(SourcePiece).values(app=app, revision=tree.revision, n=n, data=piece))
    return True


def touch(tx: Tx, app: str, revision: str) -> None:
    """Notes that a source is used now; raises NotFound when it is not kept."""
    used = update(SourceRow).where(SourceRow.app == app, SourceRow.revision == revision).values(used_at=_NOW)
    if not tx.execute(used).rowcount:
        raise NotFound(f"{app} has no uploaded source {revision}", hint=_AGAIN)


def newest(tx: Tx, apps: Iterable[str]) -> Mapping[str, Upload]:
    """Answers the source of each of the apps that was uploaded or deployed last, where there is one."""
    s = SourceRow
    query = (
        select(s.app, s.revision, s.files, s.size, s.actor, s.created_at)
        .where(s.app.in_(list(apps)))
        .ext(distinct_on(s.app))
        .order_by(s.app, s.used_at.desc())
    )
    return {row.app: Upload(row.revision, row.files, row.size, row.actor, row.created_at) for row in tx.execute(query)}


def forget_all(tx: Tx, app: str) -> None:
    """Forgets every source of an app."""
    tx.execute(delete(SourceRow).where(SourceRow.app == app))


_UNNEEDED = text("""
DELETE FROM sources WHERE (app, revision) IN (
 SELECT s.app, s.revision FROM sources s WHERE s.used_at < clock_timestamp() - interval '1 day'
   AND NOT EXISTS (SELECT 1 FROM releases r WHERE r.app = s.app AND r.revision = s.revision
                    AND r.live_at IS NOT NULL AND r.pruned_at IS NULL)
   AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.app = s.app AND j.exclusive AND j.state IN ('queued', 'running')
                    AND j.args ->> 'revision' = s.revision)
 LIMIT :most FOR UPDATE SKIP LOCKED)""")


def forget_unneeded(tx: Tx, *, most: int = 1000) -> int:
    """Forgets what no kept release and no waiting job needs, a day after its last use; answers how many."""
    return tx.execute(_UNNEEDED, {"most": most}).rowcount


class UploadTable:
    """Keeps `ports.Uploads`: reads an archive piece by piece, each in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pieces(self, app: str, revision: str) -> Iterator[bytes]:
        """Answers the archive's pieces."""
        n = 0
        while (piece := self._piece(app, revision, n)) is not None:
            yield piece
            n += 1
        if n == 0:
            raise SourceError(f"the uploaded source {revision} of {app} is not kept any more", hint=_AGAIN)

    def _piece(self, app: str, revision: str, n: int) -> bytes | None:
        p = SourcePiece
        with self._database.transaction() as tx:
            data = tx.scalar(select(p.data).where(p.app == app, p.revision == revision, p.n == n))
        return None if data is None else bytes(data)
