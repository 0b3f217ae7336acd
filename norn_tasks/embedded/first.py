"""`python -m norn_tasks.embedded.first`: what comes before the first process, for those who start processes themselves.

It brings the database of NORN_DATABASE_URL to our schema, makes the key of secrets and the first token;
docker-compose.yml runs it.
"""

from __future__ import annotations

import sys

from norn_tasks.domain.errors import InvalidRequest, NornError
from norn_tasks.embedded.keys import ensure_key
from norn_tasks.embedded.places import make, places
from norn_tasks.embedded.progress import say, step
from norn_tasks.embedded.stores import opened
from norn_tasks.settings import Settings, load
from norn_tasks.store import migrate, tokens


def prepare_database(settings: Settings) -> None:
    """Makes schema, key and token; twice is as good as once. Raises DatabaseDown."""
    where = places(settings.data_dir)
    make(where)
    with opened(settings.database_url) as database:
        with database.transaction():
            pass  # a database that is away is told in our words, before alembic tells it in its own
        with step("bringing the database to this version's schema"):
            migrate.upgrade(settings.database_url)
        ensure_key(database, settings)
        if tokens.ensure_bootstrap(database, where.token):
            say(f"  the first token, which norn finds by itself, is in {where.token}")


def main() -> int:
    """Does it and answers the exit code."""
    try:
        settings = load()
        if not settings.database_url:
            raise InvalidRequest("NORN_DATABASE_URL is not set", hint="norn up has an embedded database; this has none")
        prepare_database(settings)
    except NornError as error:
        print(error.told, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
