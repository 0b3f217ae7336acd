"""`norn backup FILE`: saves the control plane (its database and its keys) into one file, while it runs.

pg_dump reads one snapshot of the database, so the dump is consistent under any load. The file does not contain the
engine's images, containers and volumes, nor the directories of NORN_APPS_DIR.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from norn_tasks.embedded.backups import archive, calls, contents
from norn_tasks.embedded.backups.alone import running_or_alone
from norn_tasks.embedded.backups.archive import Manifest
from norn_tasks.embedded.errors import NotStarted
from norn_tasks.embedded.paths import DataPaths, data_paths
from norn_tasks.embedded.programs import fitting, run
from norn_tasks.embedded.progress import say, step
from norn_tasks.embedded.stores.stores import opened
from norn_tasks.settings import Settings
from norn_tasks.store.database.migrate import revision_of
from norn_tasks.store.database.session import Database, server_version
from norn_tasks.store.fleet import instance
from norn_tasks.store.upkeep import exclusive_tasks

_NOT_KEPT = ("workers", "beats")
"""Tables whose rows describe processes. They are left out, because a restored control plane starts new processes."""
_BODIES = "execution_io"
"""The table of the requests and answers of calls, which is the largest one in a busy database."""


def backup(settings: Settings, file: Path, *, bodies: bool = False) -> None:
    """Writes the backup and prints what it contains; raises NotStarted if that fails.

    Without `bodies`, the requests and answers of calls that have ended are left out.
    """
    where = data_paths(settings.data_dir)
    _require_database(settings, where)
    with archive.beside(file) as scratch, running_or_alone(settings, where) as url, opened(url) as database:
        dump = scratch / archive.DUMP
        with step("reading the database"):
            left_out = _NOT_KEPT if bodies else (*_NOT_KEPT, _BODIES)
            keep = [f"--exclude-table-data={table}" for table in left_out]
            began = calls.now(database)
            dumper = fitting("pg_dump", url, where, settings)
            run(dumper.path, url, ["-Fc", *keep, "--file", dump], "the database was not read")
            requests = None if bodies else calls.save(database, scratch / archive.CALLS, since=began)
        with step("writing and reading back"):
            reader = fitting("pg_restore", url, where, settings)
            run(reader.path, None, ["--list", dump], "the dump cannot be read")
            content = archive.members(dump, keys(settings, where), requests)
            size = archive.write(file, scratch, _manifest(database, content), content)
        with database.transaction() as tx:
            exclusive_tasks.done(tx, exclusive_tasks.BACKUP, file=str(file.absolute()), bytes=size)
        of_services = contents.saved(database)
    say(f"{file} holds the database and {', '.join(keys(settings, where)) or 'no keys'}: {size / 2**20:.1f} MiB.")
    if not bodies:
        say("Requests and answers of calls that have ended are left out; --bodies keeps them.")
    say("The log lines of apps are left out; they stay in the data directory.")
    for sentence in of_services:
        say(sentence)
    say("This file is enough to decrypt every secret: keep it where only you can read it. norn restore restores it.")


def _require_database(settings: Settings, where: DataPaths) -> None:
    if settings.database_url or where.postgres.exists():
        return
    raise NotStarted(
        f"there is no database of norn up in {where.data}",
        hint="NORN_DATA_DIR names another directory; for a server in docker-compose, or with a database of its own, "
        "set NORN_DATABASE_URL: docs/backup.md",
    )


def keys(settings: Settings, where: DataPaths) -> Mapping[str, Path]:
    """Returns the key files that a restored database needs, by their names."""
    return {name: path for name, path in key_files(settings, where).items() if path.exists()}


def key_files(settings: Settings, where: DataPaths) -> Mapping[str, Path]:
    """Returns the path of each key on this machine, by its name in a backup."""
    return {"token": where.token, "age.key": settings.age_key_path, "api.key": settings.api_key_path}


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
    """Returns the version of the installed package."""
    try:
        return version("norn")
    except PackageNotFoundError:
        return "0+source"
