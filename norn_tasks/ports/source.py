"""The port for sources of apps: git repositories, directories and uploads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from norn_tasks.domain.secret import Secret
from norn_tasks.ports.watch import Watch


@dataclass(frozen=True)
class Checkout:
    """A source on this machine's disk: `path` is a private copy; `revision` a SHA, `dir-…` or `src-…`."""

    path: Path
    revision: str


@dataclass(frozen=True)
class Difference:
    """The files that differ between two commits; None if git cannot compare the commits."""

    paths: tuple[str, ...] | None
    because: str = ""
    """The reason why the commits cannot be compared."""


@dataclass(frozen=True)
class GitLogin:
    """The user name and the token of a private repository."""

    username: str
    token: Secret


class GitLogins(Protocol):
    """The logins of private repositories."""

    def of(self, url: str) -> GitLogin | None:
        """Returns the login of the repository at an address; None if it has none. Raises SecretsLocked."""


class Git(Protocol):
    """Fetches commits, hardened: https and ssh only, no hooks, no prompts, bounded (docs/security.md 3)."""

    def checkout(self, url: str, ref: str, into: Path, watch: Watch) -> Checkout:
        """Checks out the commit that `ref` (branch, tag or SHA) names, into the directory `into`, without .git.

        Raises SourceError, which names the ref or the address.
        """

    def newest(self, url: str, branch: str, watch: Watch) -> str | None:
        """Returns the commit that a branch points to now; None if the branch does not exist. Raises SourceError."""

    def difference(self, url: str, before: str, after: str, watch: Watch) -> Difference:
        """Compares the files of two commits; raises SourceError if the repository or the commit `after` cannot
        be read.
        """


class Deploys(Protocol):
    """Requests a deploy, as a person would."""

    def deploy(self, app: str, revision: str, job: int) -> int:
        """Accepts a deploy of a commit and returns its job. A repeated request of the same `job` returns the same job.

        Raises the errors of a request, such as Conflict, NotForged and DiskFull.
        """


class Directories(Protocol):
    """Reads apps from directories that this machine sees."""

    def checkout(self, origin: Path, into: Path, watch: Watch) -> Checkout:
        """Copies the tree into `into` (links as links, without .git), and returns its revision.

        Raises SourceError when this machine does not see the directory, or the directory is over the source limit.
        """


class Sources(Protocol):
    """Fetches uploaded sources to any machine on which a worker runs."""

    def checkout(self, app: str, revision: str, into: Path, watch: Watch) -> Checkout:
        """Unpacks the uploaded tree that `revision` (`src-…`) names into `into`.

        Raises SourceError if the tree is no longer stored, or does not match its revision.
        """


class Uploads(Protocol):
    """The uploads in the database, as the adapter of `Sources` reads them."""

    def pieces(self, app: str, revision: str) -> Iterator[bytes]:
        """Yields the archive (tar.gz) piece by piece, in order; raises SourceError if it does not exist."""
