"""What anyone may ask of Norn: each request is accepted in one transaction, and its class is woken after the commit.

The API is the usual caller. Everything that can be known to be wrong is refused here, before a job exists; from the
moment a request is accepted, its job is a row that ends in a terminal state whatever dies.
"""

from norn_tasks.dispatch.executing import reader_left, request_exec, type_into, written_by
from norn_tasks.dispatch.intake import LONG_RUNNING, WORKER_SILENCE, Accepted, Intake, open_intake
from norn_tasks.dispatch.looking import request_logs, request_look, request_looks_elsewhere
from norn_tasks.dispatch.notifying import (
    WantedDestination,
    add_destination,
    request_deadman,
    request_deliveries,
    request_test,
)
from norn_tasks.dispatch.releasing import (
    MAX_REPLICAS,
    request_deploy,
    request_forge,
    request_reconcile,
    request_restart,
    request_rollback,
    request_scale,
    request_teardown,
)
from norn_tasks.dispatch.running import request_cancel, request_cron_run, request_invoke, request_run
from norn_tasks.dispatch.secrets import set_secrets, unset_secret
from norn_tasks.dispatch.uploading import KeptSource, keep_source

__all__ = [
    "WORKER_SILENCE",
    "Intake",
    "open_intake",
    "Accepted",
    "LONG_RUNNING",
    "MAX_REPLICAS",
    "request_forge",
    "request_deploy",
    "request_rollback",
    "request_restart",
    "request_reconcile",
    "request_scale",
    "request_teardown",
    "request_cancel",
    "request_invoke",
    "request_cron_run",
    "request_run",
    "request_exec",
    "type_into",
    "written_by",
    "reader_left",
    "request_logs",
    "request_look",
    "request_looks_elsewhere",
    "KeptSource",
    "keep_source",
    "set_secrets",
    "unset_secret",
    "WantedDestination",
    "add_destination",
    "request_deliveries",
    "request_test",
    "request_deadman",
]
