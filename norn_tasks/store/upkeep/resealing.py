"""Lists the texts in all tables that are encrypted for the server's key, and replaces them one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select, update

from norn_tasks.store.database.columns import Base
from norn_tasks.store.database.session import Tx
from norn_tasks.store.tables import DestinationRow, LoginRow, SecretRow

_TABLES: dict[str, type[Any]] = {each.__tablename__: each for each in (SecretRow, DestinationRow, LoginRow)}
"""The tables with a column `sealed`. Webhooks are missing, because they are encrypted for the API's own key."""


def places(tx: Tx) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yields the table and the primary key of each encrypted text."""
    for name, table in _TABLES.items():
        for row in tx.execute(select(*_key(table)).where(table.sealed.is_not(None))).all():
            yield name, tuple(row)


def held(tx: Tx, table: str, key: tuple[Any, ...]) -> bytes | None:
    """Returns an encrypted text and locks its row until the transaction ends; None if the row no longer exists."""
    of = _TABLES[table]
    found = tx.scalar(select(of.sealed).where(*_same(of, key)).with_for_update())
    return None if found is None else bytes(found)


def replace(tx: Tx, table: str, key: tuple[Any, ...], sealed: bytes) -> None:
    """Replaces an encrypted text."""
    of = _TABLES[table]
    tx.execute(update(of).where(*_same(of, key)).values(sealed=sealed))


def _key(table: type[Base]) -> list[Any]:
    return list(table.__table__.primary_key)


def _same(table: type[Base], key: tuple[Any, ...]) -> list[Any]:
    return [column == value for column, value in zip(_key(table), key, strict=True)]
