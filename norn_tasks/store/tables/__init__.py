"""The tables of Norn: a class for each table, and a file for each topic.

The statements that read and write them are in the other packages of the store, and the DDL is in `migrations/`.

Times are `timestamptz` and come from `clock_timestamp()` of the database, never from a worker's clock.
"""

from norn_tasks.store.tables.access import AuditRow, SessionRow, SignInCodeRow, TeamKeysRow, TokenRow
from norn_tasks.store.tables.alerts import AlertRow, CallbackRow, DeadManRow, DeliveryRow, DestinationRow
from norn_tasks.store.tables.apps import AppRow, AppSpecRow, InstanceRow, WorkloadRow
from norn_tasks.store.tables.cron import CronGapRow, CronStateRow, CronTickRow
from norn_tasks.store.tables.executions import (
    CronExecutionRow,
    ExecutionColumns,
    FunctionExecutionRow,
    OneOffRow,
    PayloadRow,
)
from norn_tasks.store.tables.fleet import BeatRow, WorkerRow
from norn_tasks.store.tables.jobs import BuildRow, EventRow, IdempotencyRow, JobRow, SlotRow, StepLogRow, StepRow
from norn_tasks.store.tables.keeping import ExclusiveTaskRow, TallyRow
from norn_tasks.store.tables.pushes import BranchRow, LoginRow, PushDeliveryRow, PushedRow, PushJobRow, WebhookRow
from norn_tasks.store.tables.releases import DeploymentRow, LiveReleaseRow, ReleaseRow, SourcePieceRow, SourceRow
from norn_tasks.store.tables.replicas import AddressRow, AppStateRow, DriftRow, ReplicaEndRow, ReplicaRow
from norn_tasks.store.tables.secrets import BackupPlanRow, SecretFileRow, SecretRow, ServicePartRow, SnapshotRow
from norn_tasks.store.tables.tunnel import ExternalHostRow, MaintenanceRow, TunnelCheckRow

__all__ = [
    "InstanceRow",
    "AppRow",
    "AppSpecRow",
    "WorkloadRow",
    "JobRow",
    "StepRow",
    "StepLogRow",
    "SlotRow",
    "BuildRow",
    "EventRow",
    "IdempotencyRow",
    "DeploymentRow",
    "ReleaseRow",
    "LiveReleaseRow",
    "SourceRow",
    "SourcePieceRow",
    "ExecutionColumns",
    "CronExecutionRow",
    "FunctionExecutionRow",
    "OneOffRow",
    "PayloadRow",
    "CronStateRow",
    "CronTickRow",
    "CronGapRow",
    "TeamKeysRow",
    "TokenRow",
    "SessionRow",
    "SignInCodeRow",
    "AuditRow",
    "WorkerRow",
    "BeatRow",
    "BackupPlanRow",
    "SecretRow",
    "SecretFileRow",
    "ServicePartRow",
    "SnapshotRow",
    "ReplicaRow",
    "ReplicaEndRow",
    "AppStateRow",
    "DriftRow",
    "AddressRow",
    "WebhookRow",
    "BranchRow",
    "PushDeliveryRow",
    "PushedRow",
    "PushJobRow",
    "LoginRow",
    "AlertRow",
    "DestinationRow",
    "CallbackRow",
    "DeliveryRow",
    "DeadManRow",
    "ExclusiveTaskRow",
    "TallyRow",
    "ExternalHostRow",
    "MaintenanceRow",
    "TunnelCheckRow",
]
