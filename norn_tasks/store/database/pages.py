"""Shared by all readers: values from rows, and pages of lists, newest first."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Row, Select
from sqlalchemy.orm import InstrumentedAttribute

from norn_tasks.store.database.session import Tx

T = TypeVar("T")
Column = ColumnElement[Any] | InstrumentedAttribute[Any]
AnyRow = Row[*tuple[Any, ...]]
AnySelect = Select[*tuple[Any, ...]]

_KEY = "list_key"


@dataclass(frozen=True)
class Cut:
    """The part of a list to return: at most `limit` items, beginning after the item with the key `after`."""

    limit: int = 50
    after: int | None = None


@dataclass(frozen=True)
class Page(Generic[T]):
    """A part of a list; `next` is the `after` of the following part, None if this part is the last one."""

    items: tuple[T, ...]
    next: int | None = None


Reach = Collection[str] | None
"""The apps that a reader may see; None: all of them."""


def value(kind: type[T], row: AnyRow) -> T:
    """Creates a dataclass from a row whose columns have the names of its fields; arrays become tuples."""
    given = {name: thing for name, thing in row._mapping.items() if name != _KEY}
    return kind(**{name: tuple(thing) if isinstance(thing, list) else thing for name, thing in given.items()})


def within(column: Column, reach: Reach) -> list[ColumnElement[bool]]:
    """Returns the condition that limits a list to the apps that its reader may see."""
    return [] if reach is None else [column.in_(sorted(reach))]


def equal(**wanted: tuple[Column, object]) -> list[ColumnElement[bool]]:
    """Returns one condition for each filter that was given: `name=(column, wanted value or None)`."""
    return [column == thing for column, thing in wanted.values() if thing is not None]


def newest_first(tx: Tx, query: AnySelect, key: Column, kind: type[T], cut: Cut) -> Page[T]:
    """Returns the page of a list that `cut` names, in descending order of its integer key."""
    if cut.after is not None:
        query = query.where(key < cut.after)
    found = query.add_columns(key.label(_KEY)).order_by(key.desc()).limit(cut.limit + 1)
    rows = tx.execute(found).all()
    shown = rows[: cut.limit]
    last = shown[-1]._mapping[_KEY] if len(rows) > cut.limit else None
    return Page(tuple(value(kind, row) for row in shown), last)
