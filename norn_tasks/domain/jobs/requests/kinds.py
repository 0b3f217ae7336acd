"""The request class of each kind of job, and the function that reads a request from the row of its job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.domain.jobs.requests.base import JobRequest
from norn_tasks.domain.jobs.requests.changes import (
    CompareJobRequest,
    DeployJobRequest,
    ForgeJobRequest,
    RepairJobRequest,
    RestartJobRequest,
    RollbackJobRequest,
    ScaleJobRequest,
    TeardownJobRequest,
)
from norn_tasks.domain.jobs.requests.databases import DrillJobRequest, RestoreJobRequest, SnapshotJobRequest
from norn_tasks.domain.jobs.requests.notifications import CallDeadManJobRequest, NotifyJobRequest
from norn_tasks.domain.jobs.requests.pushes import PollJobRequest, PushJobRequest
from norn_tasks.domain.jobs.requests.readings import ObserveJobRequest, ReadLogsJobRequest
from norn_tasks.domain.jobs.requests.runs import CronRunJobRequest, ExecJobRequest, InvokeJobRequest, RunJobRequest
from norn_tasks.domain.jobs.requests.secrets import (
    ExportSecretsJobRequest,
    ImportSecretsJobRequest,
    RotateKeyJobRequest,
)

KINDS: Final[Mapping[JobKind, type[JobRequest]]] = {
    kind.kind: kind
    for kind in (
        ForgeJobRequest, DeployJobRequest, RollbackJobRequest, RestartJobRequest, ScaleJobRequest, RepairJobRequest,
        TeardownJobRequest, PushJobRequest, PollJobRequest, SnapshotJobRequest, RestoreJobRequest, DrillJobRequest,
        InvokeJobRequest, CronRunJobRequest, RunJobRequest, ObserveJobRequest, CompareJobRequest, ReadLogsJobRequest,
        NotifyJobRequest, CallDeadManJobRequest, ExecJobRequest, ImportSecretsJobRequest, ExportSecretsJobRequest,
        RotateKeyJobRequest,
    )
}  # fmt: skip


def read(kind: str, args: Mapping[str, Any]) -> JobRequest:
    """Reads the request of a job of this kind from the arguments in its row; raises JobUnreadable."""
    return KINDS[JobKind(kind)].from_json(args)
