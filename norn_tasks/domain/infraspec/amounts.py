"""The kinds of amount a field may have: sizes kept in bytes, durations in seconds, processor cores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from norn_tasks.domain.infraspec.kinds import JsonSchema, Kind
from norn_tasks.domain.infraspec.scalars import refuse, told, within
from norn_tasks.domain.quantities import duration_text, memory_text, parse_cpu, parse_duration, parse_memory


@dataclass(frozen=True)
class Memory(Kind):
    """A size, kept in bytes."""

    low: int
    high: int

    def read(self, value: Any) -> int:
        """Accept `256m`, `1MiB` or a number of bytes."""
        size = parse_memory(value) if isinstance(value, str) else value
        if isinstance(size, bool) or not isinstance(size, int):
            refuse(f"{told(value)} is not a size", "write a number and a unit, such as 512m")
        mebibytes_meant = size < self.low <= size * 2**20 <= self.high
        hint = f"did you mean {size}m?" if mebibytes_meant else ""
        return within(size, (self.low, self.high), memory_text, "a size", hint)

    def schema(self) -> JsonSchema:
        """Draw a text with a unit, or bytes."""
        written = r"^[0-9]+(\.[0-9]{1,3})? ?([kKmMgGtT]([iI]?[bB])?|[kKmMgGtT][iI]|[bB])?$"
        return _either(written, {"type": "integer", "minimum": self.low, "maximum": self.high})


@dataclass(frozen=True)
class Seconds(Kind):
    """A duration, kept in seconds."""

    low: int
    high: int

    def read(self, value: Any) -> int:
        """Accept `90s`, `1h30m` or a number of seconds."""
        seconds = parse_duration(value) if isinstance(value, str) else value
        if isinstance(seconds, bool) or not isinstance(seconds, int):
            refuse(f"{told(value)} is not a duration", "write one such as 90s or 5m")
        return within(seconds, (self.low, self.high), duration_text, "a duration")

    def schema(self) -> JsonSchema:
        """Draw a text with units, or seconds."""
        written = "^([0-9]+|(?=[0-9])([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?)$"
        return _either(written, {"type": "integer", "minimum": self.low, "maximum": self.high})


@dataclass(frozen=True)
class Cores(Kind):
    """A number of processor cores."""

    low: float
    high: float

    def read(self, value: Any) -> float:
        """Accept `2`, `0.5` or `500m`."""
        cores = parse_cpu(value) if isinstance(value, str) else value
        if isinstance(cores, bool) or not isinstance(cores, int | float):
            refuse(f"{told(value)} is not a number of cores", "write it as 1, 0.5 or 500m")
        return within(float(cores), (self.low, self.high), "{:g}".format, "a number of cores")

    def schema(self) -> JsonSchema:
        """Draw a number, or a text in cores or thousandths."""
        return _either(
            r"^([0-9]+(\.[0-9]{1,3})?|[0-9]+m)$", {"type": "number", "minimum": self.low, "maximum": self.high}
        )


def _either(pattern: str, number: JsonSchema) -> JsonSchema:
    return {"anyOf": [{"type": "string", "pattern": pattern}, number]}
