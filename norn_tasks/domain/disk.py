"""Room on disks: how much is free where, and when that is too little to build, or to take on anything new."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from norn_tasks.domain.errors import DiskFull

GIB, MIB = 2**30, 2**20
DATA, ENGINE = "data", "engine"
"""What a disk is for: Norn's data directory, the engine's images and containers."""

HINTS = {
    DATA: "free some: `du -xh -d2 {path} | sort -h | tail` tells by what",
    ENGINE: "free some: `docker system df` tells by what, `docker builder prune` and `docker image prune` remove it",
}


@dataclass(frozen=True)
class Space:
    """What is free of a disk (bytes), and which it is: what it is for, and where it is mounted or used."""

    use: str
    path: str
    free: int
    total: int

    @property
    def percent(self) -> float:
        """How much of it is free."""
        return 100 * self.free / self.total if self.total else 0.0

    @property
    def hint(self) -> str:
        """The command that helps."""
        return HINTS[self.use].format(path=self.path)

    def told(self) -> str:
        """Answers it in words: `1.4 GiB (3 %) free in /var/lib/docker`."""
        return f"{amount(self.free)} ({self.percent:.0f} %) free in {self.path}"


@dataclass(frozen=True)
class Least:
    """What a build needs to find free: bytes and percent, both."""

    free: int
    percent: float

    def lacks(self, space: Space) -> bool:
        """True when the disk has less."""
        return space.free < self.free or space.percent < self.percent

    def require(self, spaces: Iterable[Space]) -> None:
        """Raises DiskFull for the first disk that has less."""
        for space in spaces:
            if self.lacks(space):
                least = f"{amount(self.free)} and {self.percent:g} %"
                raise DiskFull(
                    f"there is too little room to build: {space.told()}, and {least} are needed", hint=space.hint
                )


NOTHING = Least(0, 0)
"""For who builds whatever is free."""


def amount(size: int) -> str:
    """Answers a size as people write it."""
    return f"{size / GIB:.1f} GiB" if size >= GIB else f"{size / MIB:.0f} MiB"
