"""Parses and formats amounts: `256m`, `1MiB`, `90s`, `1h30m`, `0.5`, `500m`. Infraspecs, the API and the CLI all use
this parser.

Units of memory are binary in every spelling, as in `docker run --memory`: `m`, `M`, `MB`, `Mi` and `MiB` all mean 2**20
bytes.
"""

from __future__ import annotations

import re
from decimal import Decimal

from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.wording import shown

_MEMORY = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,3})?) ?([bkmgt]?)(?:(?<=[kmgt])i?b?)?", re.IGNORECASE | re.ASCII)
_MEMORY_UNITS = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_DURATION = re.compile(r"(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?", re.ASCII)
_DURATION_UNITS = (86_400, 3_600, 60, 1)
"""The seconds of a day, an hour, a minute and a second."""
_CPU = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)|([0-9]{1,9})m", re.ASCII)


def parse_memory(text: str) -> int:
    """Returns the bytes that a size means: `512m`, `1.5g`, `64KiB`, `1048576`."""
    match = _MEMORY.fullmatch(text)
    if not match:
        raise InvalidRequest(f"{shown(text)} is not a size", hint="write a number and a unit, such as 512m or 1g")
    number, unit = match.groups()
    return int(Decimal(number) * _MEMORY_UNITS[unit.lower()])


def parse_duration(text: str) -> int:
    """Returns the seconds that a duration means: `90s`, `5m`, `1h30m`, `2d`; a bare number is seconds."""
    if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        return int(text)
    match = _DURATION.fullmatch(text)
    if not match or not text:
        raise InvalidRequest(
            f"{shown(text)} is not a duration", hint="write whole numbers with s, m, h or d, such as 90s, 5m or 1h30m"
        )
    return sum(int(number or 0) * unit for number, unit in zip(match.groups(), _DURATION_UNITS, strict=True))


def parse_cpu(text: str) -> float:
    """Returns the number of processor cores that a text means: `2`, `0.5`, or `500m` in thousandths."""
    match = _CPU.fullmatch(text)
    if not match:
        raise InvalidRequest(f"{shown(text)} is not a number of cores", hint="write it as 1, 0.5 or 500m")
    cores, thousandths = match.groups()
    return float(cores) if cores else int(thousandths) / 1000


def memory_text(size: int) -> str:
    """Returns a number of bytes in the largest unit that gives a whole number: 268435456 → `256m`."""
    for unit in ("t", "g", "m", "k"):
        if size and size % _MEMORY_UNITS[unit] == 0:
            return f"{size // _MEMORY_UNITS[unit]}{unit}"
    return str(size)


def duration_text(seconds: int) -> str:
    """Returns a number of seconds as people write a duration: 5400 → `1h30m`."""
    parts = []
    for unit, letter in zip(_DURATION_UNITS, "dhms", strict=True):
        amount, seconds = divmod(seconds, unit)
        if amount:
            parts.append(f"{amount}{letter}")
    return "".join(parts) or "0s"
