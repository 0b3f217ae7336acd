"""How `norn up` and `norn down` say no: the two errors of this package, in the shape of the domain's tree."""

from __future__ import annotations

from norn_tasks.domain.errors import Conflict, Unavailable


class NotStarted(Unavailable):
    """Something that Norn needs here cannot be had or does not come up; the sentence names it."""

    code = "not_started"


class NotRunning(Conflict):
    """No Norn runs on this data directory."""

    code = "not_running"
