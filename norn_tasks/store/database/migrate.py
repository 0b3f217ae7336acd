"""Brings a database to the newest schema: `upgrade()`, or `python -m norn_tasks.store.database.migrate`.

Any number of processes may call this at the same time. An advisory lock makes one of them migrate; the others wait, and
find that nothing is left to do.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from norn_tasks.settings import load
from norn_tasks.store.database.session import Tx
from norn_tasks.store.database.urls import full_url

_LOCK = 0x6E6F726E
"""The key of the advisory lock that one migrating process holds: the ASCII codes of `norn`."""


def configuration(url: str) -> Config:
    """Returns alembic's configuration for Norn's migrations of the database at `url`."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parents[1] / "migrations"))
    config.attributes["url"] = full_url(url)
    return config


def head() -> str:
    """Returns the newest revision that this version knows."""
    return str(ScriptDirectory.from_config(configuration("postgresql://")).get_current_head())


def knows(revision: str) -> bool:
    """Returns True if this version can migrate a database of that revision."""
    return any(
        script.revision == revision for script in ScriptDirectory.from_config(configuration("")).walk_revisions()
    )


def revision_of(tx: Tx) -> str:
    """Returns the revision that a database has."""
    return str(tx.scalar(text("SELECT version_num FROM alembic_version")))


def unknown_revision(tx: Tx) -> str | None:
    """Returns the revision of a database if a newer version of Norn has migrated it; None if this version can migrate
    it.
    """
    if tx.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return None
    revision = revision_of(tx)
    return None if knows(revision) else revision


def upgrade(url: str, revision: str = "head") -> None:
    """Migrates the database at `url` up to `revision`."""
    engine = create_engine(full_url(url), connect_args={"connect_timeout": 5})
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
        connection.commit()
        try:
            command.upgrade(configuration(url), revision)
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})
            connection.commit()
    engine.dispose()


if __name__ == "__main__":
    upgrade(load().listen_url)
