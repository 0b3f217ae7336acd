"""The name of this control plane (a Norn with its own database), created with the database. Everything that it creates
on an engine carries this name, because control planes may share an engine.
"""

from __future__ import annotations

from sqlalchemy import text

from norn_tasks.store.database.session import Database


def name(database: Database) -> str:
    """Returns the name: six letters and digits."""
    with database.transaction() as tx:
        return str(tx.scalar(text("SELECT name FROM instance")))
