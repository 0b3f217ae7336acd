"""`norn restore FILE`: a control plane comes back from its backup, into an empty place, on the engine it knew.

Everything is put back before anything of Norn runs; the next `norn up` then finds its containers by their labels, and
brings what has changed since to what the backup says. A restore that fails leaves the place as it was.
"""

from __future__ import annotations

import shutil
import time
from contextlib import ExitStack
from pathlib import Path

from norn_tasks import dispatch
from norn_tasks.celery_app import Waker
from norn_tasks.domain.errors import AlreadyRunning
from norn_tasks.embedded import archive
from norn_tasks.embedded.alone import alone
from norn_tasks.embedded.archive import Unpacked
from norn_tasks.embedded.backup import key_files
from norn_tasks.embedded.errors import BadBackup, NotEmpty
from norn_tasks.embedded.lock import held
from norn_tasks.embedded.places import Places, make, places
from norn_tasks.embedded.programs import fill, fitting
from norn_tasks.embedded.progress import say, step
from norn_tasks.embedded.stores import opened
from norn_tasks.settings import Settings
from norn_tasks.store import migrate, rebirth
from norn_tasks.store.live import Live
from norn_tasks.store.session import Database

NOWHERE = "redis://127.0.0.1:1/0"
"""No broker is needed: what is accepted here waits for the workers that come."""


def restore(settings: Settings, file: Path, *, replace: bool) -> None:
    """Puts a backup back and says what comes next; `replace`: what is there is put aside, a given database emptied.

    Raises BadBackup, NotEmpty, AlreadyRunning or NotStarted.
    """
    where = places(settings.data_dir)
    _require_rest(where)
    make(where)
    with archive.beside(where.data / "restore") as scratch, ExitStack() as undo:
        with step(f"reading {file.name}"):
            found = archive.unpack(file, scratch)
            _require_known_schema(found, file)
        _make_room(settings, where, undo, replace=replace)
        with alone(settings, where) as url, opened(url) as database:
            _fill(settings, where, found, database, url, replace=replace)
        for name, path in found.keys.items():
            _put(path, key_files(settings, where)[name])
        undo.pop_all()
    told = found.manifest
    starts = "norn up or docker-compose up -d starts" if settings.database_url else "norn up starts"
    say(f"Norn {told.instance} is as it was at {told.made_at}; {starts} it.")
    say("What was accepted before and not ended goes on; schedules follow their catchup.")


def _require_rest(where: Places) -> None:
    if held(where.lock):
        raise AlreadyRunning(f"Norn runs on {where.data}", hint="norn down, then restore")


def _require_known_schema(found: Unpacked, file: Path) -> None:
    if not migrate.knows(found.manifest.schema):
        raise BadBackup(
            f"{file} was made by Norn {found.manifest.norn}, whose database is newer than this version's",
            hint=f"install norn {found.manifest.norn} or later",
        )


def _make_room(settings: Settings, where: Places, undo: ExitStack, *, replace: bool) -> None:
    """Puts aside what is in the data directory; back again when the restore fails."""
    names = [path for path in (where.postgres, *key_files(settings, where).values()) if path.exists()]
    if settings.database_url:
        names = [path for path in names if path != where.postgres]
    if names and not replace:
        raise NotEmpty(
            f"{where.data} is not empty: it has {', '.join(path.name for path in names)}",
            hint="restore into another NORN_DATA_DIR, or --replace puts it aside",
        )
    _require_rest(where)  # reading the backup took its time
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for path in names:
        aside = path.with_name(f"{path.name}.before-restore-{stamp}")
        path.rename(aside)
        undo.callback(aside.rename, path)
    if not settings.database_url:
        # What comes last here is undone first: the new one goes, then the old one comes back.
        undo.callback(_drop, where.postgres)


def _drop(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)


def _fill(settings: Settings, where: Places, found: Unpacked, database: Database, url: str, *, replace: bool) -> None:
    with database.transaction() as tx:
        if not rebirth.is_empty(tx):
            if not replace:
                raise NotEmpty(
                    "the database of NORN_DATABASE_URL is not empty",
                    hint="restore into another database, or --replace removes what is in it",
                )
            rebirth.clear(tx)
    with step("restoring the database"):
        fill(fitting("pg_restore", url, where, settings), url, found.dump)
    with step("bringing it to this version and into this place"):
        migrate.upgrade(url)
        with database.transaction() as tx:
            rebirth.settle(tx)
            apps = rebirth.long_running(tx)
        intake = dispatch.Intake(database, settings, Waker(NOWHERE), Live(NOWHERE))
        for app in apps:
            dispatch.request_reconcile(intake, app, actor="norn restore")


def _put(path: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    target.touch(mode=0o600)
    target.write_bytes(path.read_bytes())
