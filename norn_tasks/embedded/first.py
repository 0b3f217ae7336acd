"""`python -m norn_tasks.embedded.first`: prepares a database for operators who start Norn's processes themselves.

It migrates the database of NORN_DATABASE_URL to this version's schema, and creates the key for secrets and the first
token. docker-compose.yml runs it.
"""

from __future__ import annotations

import sys

from norn_tasks.domain.errors import InvalidRequest, NornError
from norn_tasks.embedded.errors import NotStarted
from norn_tasks.embedded.keys import ensure_key
from norn_tasks.embedded.paths import data_paths, make
from norn_tasks.embedded.progress import say, step
from norn_tasks.embedded.stores.stores import opened
from norn_tasks.settings import Settings, load
from norn_tasks.store.access import tokens
from norn_tasks.store.database import migrate
from norn_tasks.store.database.session import Database


def prepare_database(settings: Settings) -> None:
    """Creates the schema, the key and the token; may be repeated safely. Raises DatabaseDown; raises NotStarted if the
    database belongs to a newer version.
    """
    where = data_paths(settings.data_dir)
    make(where)
    with opened(settings.listen_url) as database:
        _require_known_schema(database)
        with step("bringing the database to this version's schema"):
            migrate.upgrade(settings.listen_url)
        ensure_key(database, settings)
        if tokens.ensure_bootstrap(database, where.token):
            say(f"  the first token, which norn finds by itself, is in {where.token}")


def _require_known_schema(database: Database) -> None:
    """Raises DatabaseDown or NotStarted with a hint, in cases in which alembic would end with a traceback."""
    with database.transaction() as tx:
        unknown = migrate.unknown_revision(tx)
    if unknown is not None:
        raise NotStarted(
            f"the database has schema {unknown}, which is newer than this version's {migrate.head()}",
            hint="install the newer Norn again; or, with a backup that this version made: norn restore --replace FILE",
        )


def main() -> int:
    """Prepares the database and returns the exit code."""
    try:
        settings = load()
        if not settings.database_url:
            raise InvalidRequest(
                "NORN_DATABASE_URL is not set", hint="norn up has an embedded database; this command has none"
            )
        prepare_database(settings)
    except NornError as error:
        print(error.rendered, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
