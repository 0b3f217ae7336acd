"""The control plane's own name: made with its database, carried by everything it makes on an engine it may share."""

from __future__ import annotations

from sqlalchemy import text

from norn_tasks.store.database.session import Database


def name(database: Database) -> str:
    """Returns the name: six letters and digits."""
    with database.transaction() as tx:
        return str(tx.scalar(text("SELECT name FROM instance")))
