"""The user that an image's USER names, as numbers. Like Docker, this module looks up names in the image's own files."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class User:
    """The user of a run: the numbers of the user and of its groups, and its home directory."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    home: str = "/root"


def resolved(wanted: str, passwd: str, group: str) -> User | None:
    """Returns the user that an image's USER names; None if the image's files do not contain that user."""
    name, _, group_name = wanted.partition(":")
    entry = _entry(passwd, name or "0", 7)
    if entry is None and not (name or "0").isdecimal():
        return None
    uid = int(entry[2]) if entry else int(name or 0)
    gid = int(entry[3]) if entry else 0
    if group_name:
        named = _entry(group, group_name, 4)
        if named is None and not group_name.isdecimal():
            return None
        gid = int(named[2]) if named else int(group_name)
    login = entry[0] if entry and not group_name else None
    further = tuple(int(row[2]) for row in _rows(group, 4) if login is not None and login in row[3].split(","))
    return User(uid, gid, (gid, *(each for each in further if each != gid)), (entry[5] if entry else "") or "/")


def _entry(text: str, wanted: str, fields: int) -> list[str] | None:
    rows = _rows(text, fields)
    named = next((row for row in rows if row[0] == wanted), None)
    return named or next((row for row in rows if row[2] == wanted), None)


def _rows(text: str, fields: int) -> list[list[str]]:
    rows = (line.strip().split(":") for line in text.splitlines())
    return [row for row in rows if len(row) >= fields and row[2].isdecimal()]
