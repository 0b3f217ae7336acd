"""Shared by all columns: the PostgreSQL type of each Python type, and the clock."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import UserDefinedType

NOW = text("clock_timestamp()")


class Xid8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id, which orders events by the transaction that wrote them."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Returns the column's SQL type."""
        return "xid8"


_TYPES = {
    str: Text,
    int: BigInteger,
    datetime: DateTime(timezone=True),
    dict[str, Any]: JSONB,
    list[Any]: JSONB,
    list[str]: ARRAY(Text),
    bytes: LargeBinary,
}


class Base(DeclarativeBase):
    """The base class of all tables: the SQL type of each Python type."""

    type_annotation_map = _TYPES


class ViewBase(DeclarativeBase):
    """The base class of all views. Views have metadata of their own, so that the metadata of `Base` has only tables."""

    type_annotation_map = _TYPES
