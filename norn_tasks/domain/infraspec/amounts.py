"""The kinds of amounts in an infraspec: sizes in bytes, durations in seconds, and processor cores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from norn_tasks.domain.infraspec.kinds import JsonSchema, ValueKind
from norn_tasks.domain.infraspec.yaml.scalars import described, refuse, within
from norn_tasks.domain.quantities import duration_text, memory_text, parse_cpu, parse_duration, parse_memory


@dataclass(frozen=True)
class Memory(ValueKind):
    """A size in bytes."""

    low: int
    high: int

    def read(self, value: Any) -> int:
        """Returns the number of bytes that `256m`, `1MiB` or a plain number means."""
        size = parse_memory(value) if isinstance(value, str) else value
        if isinstance(size, bool) or not isinstance(size, int):
            refuse(f"{described(value)} is not a size", "write a number and a unit, such as 512m")
        mebibytes_meant = size < self.low <= size * 2**20 <= self.high
        hint = f"did you mean {size}m?" if mebibytes_meant else ""
        return within(size, (self.low, self.high), memory_text, "a size", hint)

    def schema(self) -> JsonSchema:
        """Returns the schema of a text with a unit, or a number of bytes."""
        written = r"^[0-9]+(\.[0-9]{1,3})? ?([kKmMgGtT]([iI]?[bB])?|[kKmMgGtT][iI]|[bB])?$"
        return _either(written, {"type": "integer", "minimum": self.low, "maximum": self.high})


@dataclass(frozen=True)
class Seconds(ValueKind):
    """A duration in seconds."""

    low: int
    high: int

    def read(self, value: Any) -> int:
        """Returns the number of seconds that `90s`, `1h30m` or a plain number means."""
        seconds = parse_duration(value) if isinstance(value, str) else value
        if isinstance(seconds, bool) or not isinstance(seconds, int):
            refuse(f"{described(value)} is not a duration", "write one such as 90s or 5m")
        return within(seconds, (self.low, self.high), duration_text, "a duration")

    def schema(self) -> JsonSchema:
        """Returns the schema of a text with units, or a number of seconds."""
        written = "^([0-9]+|(?=[0-9])([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?)$"
        return _either(written, {"type": "integer", "minimum": self.low, "maximum": self.high})


@dataclass(frozen=True)
class Cores(ValueKind):
    """A number of processor cores."""

    low: float
    high: float

    def read(self, value: Any) -> float:
        """Returns the number of cores that `2`, `0.5` or `500m` means."""
        cores = parse_cpu(value) if isinstance(value, str) else value
        if isinstance(cores, bool) or not isinstance(cores, int | float):
            refuse(f"{described(value)} is not a number of cores", "write it as 1, 0.5 or 500m")
        return within(float(cores), (self.low, self.high), "{:g}".format, "a number of cores")

    def schema(self) -> JsonSchema:
        """Returns the schema of a number, or a text in cores or thousandths."""
        return _either(
            r"^([0-9]+(\.[0-9]{1,3})?|[0-9]+m)$", {"type": "number", "minimum": self.low, "maximum": self.high}
        )


def _either(pattern: str, number: JsonSchema) -> JsonSchema:
    return {"anyOf": [{"type": "string", "pattern": pattern}, number]}
