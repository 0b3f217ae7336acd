"""Requests to Norn: each is accepted in one transaction, and its class of workers is woken after the commit.

The API is the usual caller. A request that is known to be wrong is refused here, before a job exists. Once a request is
accepted, its job is a row that reaches an end whichever process dies.
"""

from norn_tasks.dispatch.changing import (
    apply_spec,
    change,
    clear_schedule_override,
    create_token,
    drain_worker,
    end_session,
    make_sign_in_code,
    override_schedule,
    pause_schedule,
    record_request,
    remove_app,
    remove_destination,
    resume_schedule,
    revoke_token,
    sign_in,
    take_answer,
)
from norn_tasks.dispatch.executing import reader_left, request_exec, type_into, written_by
from norn_tasks.dispatch.intake import WORKER_SILENCE, Accepted, Intake, open_intake
from norn_tasks.dispatch.looking import (
    request_cluster_looks,
    request_comparison,
    request_due_comparisons,
    request_fresh_look,
    request_logs,
    request_look,
    request_looks_elsewhere,
    request_tunnel_look,
)
from norn_tasks.dispatch.notifying import (
    DestinationToAdd,
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
    request_rotation,
    request_scale,
    request_teardown,
)
from norn_tasks.dispatch.resolving import request_resolve
from norn_tasks.dispatch.running import (
    expire_call,
    request_cancel,
    request_cron_run,
    request_invoke,
    request_run,
)
from norn_tasks.dispatch.secrets import set_secrets, unset_secret
from norn_tasks.dispatch.uploading import KeptSource, keep_source

__all__ = [
    "WORKER_SILENCE",
    "Intake",
    "open_intake",
    "Accepted",
    "MAX_REPLICAS",
    "request_forge",
    "request_deploy",
    "request_rollback",
    "request_restart",
    "request_rotation",
    "request_reconcile",
    "request_scale",
    "request_teardown",
    "request_resolve",
    "request_cancel",
    "request_invoke",
    "expire_call",
    "request_cron_run",
    "request_run",
    "request_exec",
    "type_into",
    "written_by",
    "reader_left",
    "request_logs",
    "request_look",
    "request_looks_elsewhere",
    "request_tunnel_look",
    "request_cluster_looks",
    "request_comparison",
    "request_due_comparisons",
    "request_fresh_look",
    "KeptSource",
    "keep_source",
    "set_secrets",
    "unset_secret",
    "DestinationToAdd",
    "add_destination",
    "request_deliveries",
    "request_test",
    "request_deadman",
    "change",
    "record_request",
    "apply_spec",
    "remove_app",
    "pause_schedule",
    "resume_schedule",
    "override_schedule",
    "clear_schedule_override",
    "create_token",
    "revoke_token",
    "sign_in",
    "make_sign_in_code",
    "end_session",
    "remove_destination",
    "drain_worker",
    "take_answer",
]
