"""Requests of jobs that deploy pushed commits, or ask repositories for new ones."""

from __future__ import annotations

from dataclasses import dataclass

from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.domain.jobs.requests.base import JobRequest


@dataclass(frozen=True)
class PushJobRequest(JobRequest):
    """Deploys a commit that was pushed, if it is the newest of its branch and changes a file that matters."""

    kind = JobKind.PUSH

    url: str
    """The address of the repository."""
    branch: str
    """The branch."""
    before: str | None
    """The commit that the branch pointed to before the push; None for a new branch."""
    after: str
    """The commit that the branch points to since the push."""
    paths: tuple[str, ...] = ()
    """The patterns of the files that matter; if there are no patterns, all files matter."""


@dataclass(frozen=True)
class PolledBranch:
    """A branch of a repository; Norn asks git for its newest commit."""

    repository: str
    """The name under which Norn stores the answer: host and path."""
    url: str
    """The address of the repository."""
    branch: str
    """The branch."""


@dataclass(frozen=True)
class PollJobRequest(JobRequest):
    """Asks git which commits the branches of apps point to now."""

    kind = JobKind.POLL

    branches: tuple[PolledBranch, ...]
    """The branches."""
