"""Hints for names that are not time zones, with the zone that was probably meant.

That zone is found by the name of a city (`Berlin`), by a well-known abbreviation (`CEST`), or by a similar spelling.
Norn does not guess the meaning of other abbreviations, because a wrong guess would move a job by hours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from norn_tasks.domain.wording import closest

_PLACES = {
    "CEST": "Europe/Berlin", "MEZ": "Europe/Berlin", "MESZ": "Europe/Berlin", "BST": "Europe/London",
    "WEST": "Europe/Lisbon", "EEST": "Europe/Athens", "MSK": "Europe/Moscow", "EDT": "America/New_York",
    "CST": "America/Chicago", "CDT": "America/Chicago", "MDT": "America/Denver", "PST": "America/Los_Angeles",
    "PDT": "America/Los_Angeles", "IST": "Asia/Kolkata", "JST": "Asia/Tokyo", "SGT": "Asia/Singapore",
    "AEST": "Australia/Sydney", "AEDT": "Australia/Sydney", "NZST": "Pacific/Auckland", "NZDT": "Pacific/Auckland",
}  # fmt: skip
"""A zone for each well-known abbreviation that is not itself a name in the IANA database."""
_OFFSET = re.compile(r"(?:UTC|GMT|Z)?\s*([+-])\s*([0-9]{1,2})(?::?[0-9]{2})?", re.IGNORECASE)
_PLAIN = "write a name such as Europe/Berlin, or UTC"


def zone_hint(text: str, names: Iterable[str]) -> str:
    """Returns a hint for a text that is not one of these names of time zones."""
    known = tuple(names)
    if text.upper() in _PLACES:
        return f"an abbreviation is no place: write {_PLACES[text.upper()]}, or another place with that time"
    if _OFFSET.fullmatch(text.strip()):
        return "an offset does not follow clock changes: write a place such as Europe/Berlin"
    same = [name for name in known if name.casefold() == text.casefold()]
    places = same or [name for name in known if "/" in name and _place(name) == _place(text)]
    if places:
        return f"did you mean {min(places, key=len)}?"
    likely = closest(text, (name for name in known if "/" in name)) if "/" in text or len(text) > _LONG else None
    return f"did you mean {likely}?" if likely else _PLAIN


_LONG = 5
"""A text with at most this many letters that names no city is treated as an abbreviation."""


def _place(name: str) -> str:
    return name.rpartition("/")[2].casefold().replace(" ", "_")
