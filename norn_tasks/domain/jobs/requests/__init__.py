"""The request of a job: its arguments, which are stored when the job is accepted and read by its steps. Each kind of
job has its own class.

The ledger stores a request as JSON, with the fields of the class as keys. Code outside this package never writes such a
key as a string; SQL uses the constants in `keys`. A field with the default None is stored only if it has a value.
"""

from __future__ import annotations

from norn_tasks.domain.jobs.requests.base import JobRequest
from norn_tasks.domain.jobs.requests.changes import (
    CompareJobRequest,
    DeployJobRequest,
    ForgeJobRequest,
    Overridable,
    Override,
    RepairJobRequest,
    ReplicasJobRequest,
    RestartJobRequest,
    RollbackJobRequest,
    ScaleJobRequest,
    TeardownJobRequest,
)
from norn_tasks.domain.jobs.requests.databases import DrillJobRequest, RestoreJobRequest, SnapshotJobRequest
from norn_tasks.domain.jobs.requests.keys import (
    GENERATION,
    IMAGE_ID,
    MAY_OPEN,
    OVERRIDE,
    OVERRIDE_REPLICAS,
    OVERRIDE_SPEC,
    REVISION,
    TRIGGER,
)
from norn_tasks.domain.jobs.requests.kinds import KINDS, read
from norn_tasks.domain.jobs.requests.notifications import CallDeadManJobRequest, NotifyJobRequest
from norn_tasks.domain.jobs.requests.pushes import PolledBranch, PollJobRequest, PushJobRequest
from norn_tasks.domain.jobs.requests.readings import ObserveJobRequest, ReadLogsJobRequest
from norn_tasks.domain.jobs.requests.runs import (
    ClientTerminal,
    CronRunJobRequest,
    ExecJobRequest,
    InvokeJobRequest,
    RunJobRequest,
)
from norn_tasks.domain.jobs.requests.secrets import (
    ExportSecretsJobRequest,
    ImportSecretsJobRequest,
    RotateKeyJobRequest,
)
from norn_tasks.domain.jobs.requests.sources import DirectorySource, GitSource, ImageSource, Source, UploadSource

__all__ = [
    "JobRequest",
    "GENERATION",
    "IMAGE_ID",
    "OVERRIDE",
    "MAY_OPEN",
    "OVERRIDE_REPLICAS",
    "REVISION",
    "OVERRIDE_SPEC",
    "TRIGGER",
    "GitSource",
    "UploadSource",
    "DirectorySource",
    "ImageSource",
    "Source",
    "Override",
    "ForgeJobRequest",
    "DeployJobRequest",
    "ReplicasJobRequest",
    "RollbackJobRequest",
    "RestartJobRequest",
    "ScaleJobRequest",
    "RepairJobRequest",
    "CompareJobRequest",
    "Overridable",
    "TeardownJobRequest",
    "PushJobRequest",
    "PolledBranch",
    "PollJobRequest",
    "SnapshotJobRequest",
    "RestoreJobRequest",
    "DrillJobRequest",
    "InvokeJobRequest",
    "CronRunJobRequest",
    "ClientTerminal",
    "RunJobRequest",
    "ExecJobRequest",
    "ObserveJobRequest",
    "ReadLogsJobRequest",
    "NotifyJobRequest",
    "CallDeadManJobRequest",
    "ImportSecretsJobRequest",
    "ExportSecretsJobRequest",
    "RotateKeyJobRequest",
    "KINDS",
    "read",
]
