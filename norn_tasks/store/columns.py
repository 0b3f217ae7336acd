"""What the columns of all tables share: Python types as PostgreSQL's, and the one clock."""

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
        """Answers the column's SQL type."""
        return "xid8"


class Base(DeclarativeBase):
    """What all tables share: the Python type of each column type."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own protocol
        str: Text,
        int: BigInteger,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
        list[str]: ARRAY(Text),
        bytes: LargeBinary,
    }
