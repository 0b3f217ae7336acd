"""The errors of this package, in the same form as the domain's errors."""

from __future__ import annotations

from norn_tasks.domain.errors import Conflict, InvalidRequest, Unavailable


class NotStarted(Unavailable):
    """Something that Norn needs is missing or does not start; the sentence says what."""

    code = "not_started"


class NotRunning(Conflict):
    """No Norn runs on this data directory."""

    code = "not_running"


class NotEmpty(Conflict):
    """The target of a restore is not empty."""

    code = "not_empty"


class BadBackup(InvalidRequest):
    """The file is not a backup, is damaged, or was made by a newer Norn."""

    code = "bad_backup"
