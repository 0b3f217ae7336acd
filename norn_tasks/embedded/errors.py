"""How `norn up` and its like say no: the errors of this package, in the shape of the domain's tree."""

from __future__ import annotations

from norn_tasks.domain.errors import Conflict, InvalidRequest, Unavailable


class NotStarted(Unavailable):
    """Something that Norn needs here cannot be had or does not come up; the sentence names it."""

    code = "not_started"


class NotRunning(Conflict):
    """No Norn runs on this data directory."""

    code = "not_running"


class NotEmpty(Conflict):
    """There is something already where a backup is to be put back."""

    code = "not_empty"


class BadBackup(InvalidRequest):
    """The file is no backup, is damaged, or was made by a newer Norn."""

    code = "bad_backup"
