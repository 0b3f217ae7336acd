"""`norn restore FILE`: restores a control plane from its backup into an empty data directory, on the machine that has
its engine.

Everything is restored before any process of Norn runs. The next `norn up` finds the containers of this control plane by
their labels, and brings them back to the state in the backup. If the restore fails, the data directory stays as it was.
"""

from __future__ import annotations

import shutil
import time
from contextlib import ExitStack
from pathlib import Path

from norn_tasks import dispatch
from norn_tasks.celery_app import Waker
from norn_tasks.domain.errors import AlreadyRunning
from norn_tasks.embedded.backups import archive, calls, contents
from norn_tasks.embedded.backups.alone import alone
from norn_tasks.embedded.backups.archive import Unpacked
from norn_tasks.embedded.backups.backup import key_files
from norn_tasks.embedded.errors import BadBackup, NotEmpty
from norn_tasks.embedded.lock import held
from norn_tasks.embedded.paths import DataPaths, data_paths, make
from norn_tasks.embedded.programs import fill, fitting
from norn_tasks.embedded.progress import say, step
from norn_tasks.embedded.stores.stores import opened
from norn_tasks.settings import Settings
from norn_tasks.store.broker.live import Live
from norn_tasks.store.database import migrate
from norn_tasks.store.database.session import Database
from norn_tasks.store.upkeep import after_restore, exclusive_tasks

NOWHERE = "redis://127.0.0.1:1/0"
"""A broker that does not exist. No broker is needed, because the jobs that are accepted here wait for the workers
anyway.
"""


def restore(settings: Settings, file: Path, *, replace: bool) -> None:
    """Restores a backup and prints the next step; `replace`: existing data is moved aside, and the database of
    NORN_DATABASE_URL is emptied.

    Raises BadBackup, NotEmpty, AlreadyRunning or NotStarted.
    """
    where = data_paths(settings.data_dir)
    _require_rest(where)
    make(where)
    with archive.beside(where.data / "restore") as scratch, ExitStack() as undo:
        with step(f"reading {file.name}"):
            found = archive.unpack(file, scratch)
            _require_known_schema(found, file)
        _make_room(settings, where, undo, replace=replace)
        with alone(settings, where) as url, opened(url) as database:
            _fill(settings, where, found, database, url, replace=replace)
            with database.transaction() as tx:
                exclusive_tasks.done(tx, exclusive_tasks.BACKUP, file=str(file.absolute()), bytes=file.stat().st_size)
            of_services = contents.restored(database)
        for name, path in found.keys.items():
            _put(path, key_files(settings, where)[name])
        undo.pop_all()
    manifest = found.manifest
    starts = "norn up or docker-compose up -d starts" if settings.database_url else "norn up starts"
    say(f"Norn {manifest.instance} is as it was at {manifest.made_at}; {starts} it.")
    say("Jobs that had not ended go on; schedules follow their catchup.")
    for sentence in of_services:
        say(sentence)


def _require_rest(where: DataPaths) -> None:
    if held(where.lock):
        raise AlreadyRunning(f"Norn runs on {where.data}", hint="norn down, then restore")


def _require_known_schema(found: Unpacked, file: Path) -> None:
    if not migrate.knows(found.manifest.schema):
        raise BadBackup(
            f"{file} was made by Norn {found.manifest.norn}, whose database is newer than this version's",
            hint=f"install norn {found.manifest.norn} or later",
        )


def _make_room(settings: Settings, where: DataPaths, undo: ExitStack, *, replace: bool) -> None:
    """Moves the contents of the data directory aside, and moves them back if the restore fails."""
    names = [path for path in (where.postgres, *key_files(settings, where).values()) if path.exists()]
    if settings.database_url:
        names = [path for path in names if path != where.postgres]
    if names and not replace:
        raise NotEmpty(
            f"{where.data} is not empty: it has {', '.join(path.name for path in names)}",
            hint="restore into another NORN_DATA_DIR, or --replace moves it aside",
        )
    _require_rest(where)  # checked again, because reading the backup has taken some time
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for path in names:
        aside = path.with_name(f"{path.name}.before-restore-{stamp}")
        path.rename(aside)
        undo.callback(aside.rename, path)
    if not settings.database_url:
        # These are undone in reverse order: first the new directory is removed, then the old one is moved back.
        undo.callback(_drop, where.postgres)


def _drop(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)


def _fill(
    settings: Settings, where: DataPaths, found: Unpacked, database: Database, url: str, *, replace: bool
) -> None:
    with database.transaction() as tx:
        if not after_restore.is_empty(tx):
            if not replace:
                raise NotEmpty(
                    "the database of NORN_DATABASE_URL is not empty",
                    hint="restore into another database, or --replace empties it",
                )
            after_restore.clear(tx)
    with step("restoring the database"):
        fill(fitting("pg_restore", url, where, settings), url, found.dump)
        if found.calls is not None:
            calls.load(database, found.calls)
    with step("migrating it to this version and this data directory"):
        migrate.upgrade(url)
        with database.transaction() as tx:
            after_restore.settle(tx)
            apps = after_restore.long_running(tx)
        intake = dispatch.Intake(database, settings, Waker(NOWHERE), Live(NOWHERE))
        for app in apps:
            dispatch.request_reconcile(intake, app, actor="norn restore")


def _put(path: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    target.touch(mode=0o600)
    target.write_bytes(path.read_bytes())
