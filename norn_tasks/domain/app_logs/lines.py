"""The log lines of an app's containers, which are stored longer than the containers exist, and queries for
these lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

NOTE = 0
"""The number of the stream of lines that Norn itself wrote into a log; 1 is stdout, and 2 is stderr."""

MISSING = "… lines are missing here: the app wrote more than its engine keeps until Norn reads it …"
"""The text of the line that is stored where the engine dropped lines before Norn could read them."""

DROPPED = "… lines are left out here: they were deleted before this reader got to them …"
"""The text of the line that a reader gets in place of old lines that were deleted before they reached the reader."""

_ID_LENGTH = 64
"""The length of an id of the Docker engine. The name of a pod is shorter, because the length of an app's name is
limited.
"""

Position = Mapping[int, tuple[int, int]]
"""How far a container's log was read.

For each stream, it has the time of the last entry that was read, and how many entries with that time were read.
"""


class LogOrigin(NamedTuple):
    """Identifies the container or the pod that wrote a line.

    `container` is the id that its engine gave it, or the name of the pod; `replica` is its number among the replicas of
    its release.
    """

    container: str
    release: int
    generation: int
    replica: int

    @property
    def name(self) -> str:
        """The name for people: `r3-1` is the first replica of release 3; a pod has its own name."""
        return self.container if is_pod(self.container) else f"r{self.release}-{self.replica}"

    @property
    def short(self) -> str:
        """The container's id as people see it, or the whole name of a pod."""
        return self.container if is_pod(self.container) else self.container[:12]


def is_pod(container: str) -> bool:
    """Returns True for the name of a pod; an id of the Docker engine has 64 characters."""
    return len(container) != _ID_LENGTH


class KeptLine(NamedTuple):
    """A line: its time in nanoseconds since 1970, its stream, its text, and its origin."""

    at: int
    stream: int
    text: bytes
    origin: LogOrigin


@dataclass(frozen=True)
class LineBatch:
    """Lines of one container, in the order in which it wrote them. Either all of them are stored, or none."""

    times: Sequence[int]
    """The time of each line, in nanoseconds since 1970."""
    streams: Sequence[int]
    """The stream of each line."""
    texts: Sequence[bytes]
    """The text of each line, without its line end."""
    position: Position
    """The position in the container's log after these lines."""


class Place(NamedTuple):
    """A position in an app's stored lines; all lines before it have been read."""

    number: int
    offset: int


@dataclass(frozen=True)
class LogQuestion:
    """A query for some of the stored lines of an app."""

    tail: int = 100
    """The most lines to return; these are the last ones."""
    since: int | None = None
    """Only lines of this time or later, in nanoseconds since 1970."""
    until: int | None = None
    """Only lines from before this time, in nanoseconds since 1970."""
    grep: str = ""
    """Only lines in which this regular expression (RE2) is found; empty for all lines."""
    release: int | None = None
    """Only lines of this release."""
    replica: int | None = None
    """Only lines of the replica with this number."""
    containers: frozenset[str] | None = None
    """Only lines of these containers."""

    @property
    def narrow(self) -> bool:
        """True when the query has a condition besides `tail`."""
        plain = LogQuestion(tail=self.tail)
        return self != plain

    def covers(self, origin: LogOrigin) -> bool:
        """Returns True if the result may contain lines of this container."""
        return (
            self.release in (None, origin.release)
            and self.replica in (None, origin.replica)
            and (self.containers is None or origin.container in self.containers)
        )

    def within(self, at: int) -> bool:
        """Returns True if the result may contain a line with this time."""
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


@dataclass
class LineNames:
    """The names under which containers are shown to people.

    If two containers have the same name, a part of the second one's id is added to its name.
    """

    _owners: dict[str, str] = field(default_factory=dict)

    def add(self, origins: Iterable[LogOrigin]) -> None:
        """Records containers in advance. If several have the same name, each is shown with a part of its id added to
        its name.
        """
        by_name: dict[str, set[str]] = {}
        for origin in origins:
            by_name.setdefault(origin.name, set()).add(origin.container)
        for name, containers in by_name.items():
            self._owners.setdefault(name, containers.pop() if len(containers) == 1 else "")

    def of(self, origin: LogOrigin) -> str:
        """Returns the name under which a container is shown."""
        owner = self._owners.setdefault(origin.name, origin.container)
        return origin.name if owner == origin.container else f"{origin.name}.{origin.container[:8]}"


TakeLines = Callable[[Sequence[KeptLine]], None]
"""A function that is called with the lines that were read."""
