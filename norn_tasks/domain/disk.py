"""Free disk space, and the limits below which Norn builds no images or accepts no new work."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from norn_tasks.domain.errors import DiskFull

GIB, MIB = 2**30, 2**20
DATA, ENGINE = "data", "engine"
"""The two things for which a disk is used: Norn's data directory, and the engine's images and containers."""

HINTS = {
    DATA: "free some: `du -xh -d2 {path} | sort -h | tail` shows the largest directories",
    ENGINE: "free some: `docker system df` shows what uses it; `docker builder prune`, `docker image prune` free it",
}


@dataclass(frozen=True)
class Space:
    """The free and total bytes of the disk that contains the directory `path`, and the use of that directory."""

    use: str
    path: str
    free: int
    total: int

    @property
    def percent(self) -> float:
        """The free space in percent of the disk."""
        return 100 * self.free / self.total if self.total else 0.0

    @property
    def hint(self) -> str:
        """A hint with the command that shows what can be deleted."""
        return HINTS[self.use].format(path=self.path)

    def describe(self) -> str:
        """Returns the space for a message: `1.4 GiB (3 %) free in /var/lib/docker`."""
        return f"{amount(self.free)} ({self.percent:.0f} %) free in {self.path}"


@dataclass(frozen=True)
class Least:
    """The free space that a build needs: at least `free` bytes, and at least `percent` of the disk."""

    free: int
    percent: float

    def lacks(self, space: Space) -> bool:
        """Returns True if the disk has less free space than this."""
        return space.free < self.free or space.percent < self.percent

    def require(self, spaces: Iterable[Space]) -> None:
        """Raises DiskFull for the first disk that has less free space than this."""
        for space in spaces:
            if self.lacks(space):
                least = f"{amount(self.free)} and {self.percent:g} %"
                raise DiskFull(
                    f"there is too little room to build: {space.describe()}, and {least} are needed", hint=space.hint
                )


NOTHING = Least(0, 0)
"""The limit that allows builds no matter how little space is free."""


def amount(size: int) -> str:
    """Returns a size in the units that people use, such as `1.4 GiB`."""
    return f"{size / GIB:.1f} GiB" if size >= GIB else f"{size / MIB:.0f} MiB"
