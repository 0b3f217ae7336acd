"""Cells and columns that several tables share."""

from __future__ import annotations

from collections.abc import Callable

from norn_cli.answers import Json
from norn_cli.display.output import Column
from norn_cli.display.times import ago, duration


def short(revision: str | None) -> str:
    """Returns a revision for people: the first twelve digits of a SHA, any other revision in full."""
    return revision[:12] if revision and len(revision) == 40 else revision or ""


def reason(record: Json) -> str:
    """Returns why a run failed: the sentence, and the first line of its stderr if the sentence names no cause."""
    if ": " in (record.get("sentence") or ""):
        return str(record["sentence"])
    said = record.get("first_error_line") or next(iter((record.get("stderr") or "").splitlines()), "")
    return ": ".join(part for part in (record.get("sentence"), said) if part)


def took(record: Json) -> str:
    """Returns the duration of a run."""
    return duration(record["duration_ms"] / 1000) if record.get("duration_ms") is not None else ""


def error(row: Json) -> str:
    """Returns the sentence of a row's error."""
    return str((row.get("error") or {}).get("sentence", ""))


def field(name: str) -> Callable[[Json], object]:
    """Returns a function for the cells of a column, which returns the field `name` of a row unchanged."""
    return lambda row: row.get(name)


def when(name: str) -> Callable[[Json], object]:
    """Returns a function for the cells of a column, which returns how long ago the time in the field `name` is."""
    return lambda row: ago(row.get(name))


def joined(name: str) -> Callable[[Json], object]:
    """Returns a function for the cells of a column, which returns the items of the list in the field `name` as one
    text.
    """
    return lambda row: ", ".join(row.get(name) or [])


def amount(size: int | None, without: str = "incomplete") -> str:
    """Returns a number of bytes in MiB or KiB; `without` for None."""
    if size is None:
        return without
    return f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 1024:.1f} KiB"


ID = Column("ID", field("id"))
APP = Column("APP", field("app"))
STATE = Column("STATE", field("state"))
EXIT = Column("EXIT", field("exit_code"))
TOOK = Column("TOOK", took)
WHY = Column("WHY", reason)
BY = Column("BY", field("actor"))
