"""Lines that an app's containers wrote, as they are kept after the containers are gone; and questions about them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

NOTE = 0
"""The stream of lines that Norn itself wrote into a log, beside 1 (stdout) and 2 (stderr)."""

MISSING = "… lines are missing here: the app wrote more than its engine keeps until Norn reads it …"
"""The text of the line that is kept where the engine has dropped lines before they were read."""

DROPPED = "… lines are left out here: they were deleted before this reader got to them …"
"""The text of the line that a reader gets when old lines were deleted before it had read them."""

Position = Mapping[int, tuple[int, int]]
"""How far a container was read: for each stream the time of its last entry, and how many entries have that time."""


class LogOrigin(NamedTuple):
    """The origin of lines: a container, a pod, or an instance of another engine.

    `container` is its id there; `replica` is its number among the replicas of its release.
    """

    container: str
    release: int
    generation: int
    replica: int

    @property
    def name(self) -> str:
        """The name for people: `r3-1` is the first replica of release 3."""
        return f"r{self.release}-{self.replica}"


class KeptLine(NamedTuple):
    """A line: its time in nanoseconds since 1970, its stream, its text, and where it is from."""

    at: int
    stream: int
    text: bytes
    origin: LogOrigin


@dataclass(frozen=True)
class LineBatch:
    """Lines of one container, in the order in which it wrote them; kept whole or not at all."""

    times: Sequence[int]
    """The time of each line, in nanoseconds since 1970."""
    streams: Sequence[int]
    """The stream of each line."""
    texts: Sequence[bytes]
    """The text of each line, without its end."""
    position: Position
    """How far the container is read with these lines."""


class Place(NamedTuple):
    """A place in an app's kept lines: everything before it was read."""

    number: int
    offset: int


@dataclass(frozen=True)
class LogQuestion:
    """A choice among the kept lines of an app."""

    tail: int = 100
    """The most lines that are returned: the last ones."""
    since: int | None = None
    """Only lines of this time or later, in nanoseconds since 1970."""
    until: int | None = None
    """Only lines from before this time, in nanoseconds since 1970."""
    grep: str = ""
    """Only lines in which this regular expression (RE2) is found; empty: all."""
    release: int | None = None
    """Only lines of this release."""
    replica: int | None = None
    """Only lines of the replica with this number."""
    containers: frozenset[str] | None = None
    """Only lines of these containers."""

    @property
    def narrow(self) -> bool:
        """True when it asks for more than just the last lines."""
        plain = LogQuestion(tail=self.tail)
        return self != plain

    def covers(self, origin: LogOrigin) -> bool:
        """Returns True if lines of this container may be among the answers."""
        return (
            self.release in (None, origin.release)
            and self.replica in (None, origin.replica)
            and (self.containers is None or origin.container in self.containers)
        )

    def within(self, at: int) -> bool:
        """Returns True if a line of this time may be among the answers."""
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


@dataclass
class LineNames:
    """The names of containers that are shown together: a second one of the same name gets a part of its id added."""

    _owners: dict[str, str] = field(default_factory=dict)

    def add(self, origins: Iterable[LogOrigin]) -> None:
        """Notes containers in advance: each of those that share a name gets a part of its id added."""
        by_name: dict[str, set[str]] = {}
        for origin in origins:
            by_name.setdefault(origin.name, set()).add(origin.container)
        for name, containers in by_name.items():
            self._owners.setdefault(name, containers.pop() if len(containers) == 1 else "")

    def of(self, origin: LogOrigin) -> str:
        """Returns the name of a container in this reading."""
        owner = self._owners.setdefault(origin.name, origin.container)
        return origin.name if owner == origin.container else f"{origin.name}.{origin.container[:8]}"


TakeLines = Callable[[Sequence[KeptLine]], None]
"""Takes lines that are read."""
