"""`norn backup FILE`: the control plane in one file, its database and its keys, taken while it runs.

pg_dump reads one snapshot, so that the dump is consistent whatever happens meanwhile. What the engine holds (images,
containers, volumes) is not in it, nor are directories of NORN_APPS_DIR.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from norn_tasks.embedded import archive
from norn_tasks.embedded.alone import running_or_alone
from norn_tasks.embedded.archive import Manifest
from norn_tasks.embedded.errors import NotStarted
from norn_tasks.embedded.places import Places, places
from norn_tasks.embedded.programs import fitting, run
from norn_tasks.embedded.progress import say, step
from norn_tasks.embedded.stores import opened
from norn_tasks.settings import Settings
from norn_tasks.store import chores, instance
from norn_tasks.store.migrate import revision_of
from norn_tasks.store.session import Database, server_version

_NOT_KEPT = ("workers", "beats")
"""Tables whose rows are about processes: a restored control plane has others."""


def backup(settings: Settings, file: Path) -> None:
    """Writes the backup and says what is in it; raises NotStarted."""
    where = places(settings.data_dir)
    _require_database(settings, where)
    with archive.beside(file) as scratch, running_or_alone(settings, where) as url, opened(url) as database:
        dump = scratch / archive.DUMP
        with step("reading the database"):
            keep = [f"--exclude-table-data={table}" for table in _NOT_KEPT]
            dumper = fitting("pg_dump", url, where, settings)
            run(dumper.path, url, ["-Fc", *keep, "--file", dump], "the database was not read")
        with step("writing and reading back"):
            reader = fitting("pg_restore", url, where, settings)
            run(reader.path, None, ["--list", dump], "the dump cannot be read")
            content = archive.members(dump, keys(settings, where))
            size = archive.write(file, scratch, _manifest(database, content), content)
        with database.transaction() as tx:
            chores.done(tx, chores.BACKUP, file=str(file.absolute()), bytes=size)
    say(f"{file} holds the database and {', '.join(keys(settings, where)) or 'no keys'}: {size / 2**20:.1f} MiB.")
    say("It opens every secret: keep it where only you can read it. norn restore brings it back.")


def _require_database(settings: Settings, where: Places) -> None:
    if settings.database_url or where.postgres.exists():
        return
    raise NotStarted(
        f"there is no database of norn up in {where.data}",
        hint="NORN_DATA_DIR names another directory; of a server in docker-compose, or with a database of its own, "
        "NORN_DATABASE_URL names the database: docs/backup.md",
    )


def keys(settings: Settings, where: Places) -> Mapping[str, Path]:
    """Answers the files beside the database without which it is of no use, by their names."""
    return {name: path for name, path in key_files(settings, where).items() if path.exists()}


def key_files(settings: Settings, where: Places) -> Mapping[str, Path]:
    """Answers where each key is on this machine, by the name that it has in a backup."""
    return {"token": where.token, "age.key": settings.age_key_path}


def _manifest(database: Database, content: Mapping[str, Path]) -> Manifest:
    with database.transaction() as tx:
        schema = revision_of(tx)
    return Manifest(
        format=archive.FORMAT,
        norn=own_version(),
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        instance=instance.name(database),
        schema=schema,
        postgres=server_version(database),
        files=archive.checksums(content),
    )


def own_version() -> str:
    """Answers the version of the installed package."""
    try:
        return version("norn")
    except PackageNotFoundError:
        return "0+source"
