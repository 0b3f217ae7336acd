"""Where source comes from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from norn_tasks.ports.watch import Watch


@dataclass(frozen=True)
class Checkout:
    """A source on this machine's disk: `path` is a private copy; `revision` a SHA, `dir-…` or `src-…`."""

    path: Path
    revision: str


class Git(Protocol):
    """Fetches commits, hardened: https and ssh only, no hooks, no prompts, bounded (security.md 3)."""

    def checkout(self, url: str, ref: str, into: Path, watch: Watch) -> Checkout:
        """Checks out exactly the commit that `ref` (branch, tag or SHA) names, into the directory `into`, without .git.

        Raises SourceError naming the ref or the address.
        """


class Directories(Protocol):
    """Reads apps from directories that this machine sees."""

    def checkout(self, origin: Path, into: Path, watch: Watch) -> Checkout:
        """Copies the tree into `into` (links kept as links, .git left out) and names its revision.

        Raises SourceError when this machine does not see the directory, or it is over the source limit.
        """
