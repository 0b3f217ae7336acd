"""Errors that mean that Norn, or something on which Norn depends, does not work."""

from __future__ import annotations

from norn_tasks.domain.errors.base import NornError


class Unavailable(NornError):
    """A required part of Norn is unavailable; the request changed nothing."""

    code, status = "unavailable", 503


class DatabaseDown(Unavailable):
    """PostgreSQL does not answer."""

    code = "database_down"


class Unconfirmed(DatabaseDown):
    """PostgreSQL did not confirm a change, so the change may or may not have been made. A caller must find out before
    it tries again.
    """

    code, status = "unconfirmed", 504


class DeadlockVictim(DatabaseDown):
    """Two transactions waited for each other, and PostgreSQL rolled this one back; a retry usually succeeds."""


class DiskFull(Unavailable):
    """A disk has too little space; the sentence says which disk, and how much space is free."""

    code, status = "disk_full", 507


class ServiceDown(Unavailable):
    """A shared service does not answer."""

    code = "service_down"


class EngineDown(Unavailable):
    """The container engine does not answer."""

    code = "engine_down"


class ClusterDown(Unavailable):
    """The cluster does not answer."""

    code = "cluster_down"


class JobUnreadable(NornError):
    """A job's row does not have the form that this version of Norn writes; the sentence names the fields."""

    code, status = "job_unreadable", 500
