"""Requests of jobs that only read: observations of clusters and engines, and the logs of replicas."""

from __future__ import annotations

from dataclasses import dataclass

from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.domain.jobs.requests.base import JobRequest


@dataclass(frozen=True)
class ObserveJobRequest(JobRequest):
    """Observes a cluster, the engines of a worker, the tunnel, the databases of apps, or Cloudflare Access's keys."""

    kind = JobKind.OBSERVE

    tunnel: bool | None = None
    """If True, the job observes the tunnel and its DNS records."""
    access: bool | None = None
    """If True, the job fetches the keys of Cloudflare Access."""
    databases: bool | None = None
    """If True, the job observes the databases of apps."""
    drained: bool | None = None
    """If True, the job ends the draining replicas, in one cluster, that have no open connection left or whose time is
    over.
    """


@dataclass(frozen=True)
class ReadLogsJobRequest(JobRequest):
    """Reads the logs of an app's replicas for a client that is connected."""

    kind = JobKind.READ_LOGS

    tail: int
    """The number of past lines to begin with."""
    follow: bool
    """If True, new lines are read until the client disconnects."""
    since: int | None = None
    """Only lines of this time or later, in nanoseconds since 1970."""
    until: int | None = None
    """Only lines from before this time, in nanoseconds since 1970."""
    grep: str | None = None
    """Only lines in which this regular expression is found."""
    release: int | None = None
    """Only lines of this release."""
    replica: int | None = None
    """Only lines of the replica with this number."""
    previous: bool | None = None
    """Only lines of the latest replicas that no longer exist."""
    oldest: int | None = None
    """When the app was registered, in nanoseconds since 1970: earlier lines belong to a former app of the same name."""
