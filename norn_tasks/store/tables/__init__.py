"""Every table of Norn, one class each, a file per topic; rules are in the modules beside, the DDL in `migrations/`.

Times are `timestamptz` and come from `clock_timestamp()` of the database, never from a worker's clock.
"""

from norn_tasks.store.tables.access import Audit, Token
from norn_tasks.store.tables.alerts import Alert, DeadMan, Delivery, Destination
from norn_tasks.store.tables.apps import App, AppSpec, Instance, WorkloadRow
from norn_tasks.store.tables.cron import CronGap, CronState, CronTick
from norn_tasks.store.tables.executions import CronExecution, ExecutionColumns, ExecutionIO, FuncExecution, OneOff
from norn_tasks.store.tables.fleet import Beat, Worker
from norn_tasks.store.tables.jobs import BuildRow, Event, Idempotency, JobRow, Slot, StepLog, StepRow
from norn_tasks.store.tables.keeping import Chore, TallyRow
from norn_tasks.store.tables.releases import DeploymentRow, Release, SourcePiece, SourceRow
from norn_tasks.store.tables.replicas import Address, ReplicaRow
from norn_tasks.store.tables.secrets import SecretRow

__all__ = [
    "Instance",
    "App",
    "AppSpec",
    "WorkloadRow",
    "JobRow",
    "StepRow",
    "StepLog",
    "Slot",
    "BuildRow",
    "Event",
    "Idempotency",
    "DeploymentRow",
    "Release",
    "SourceRow",
    "SourcePiece",
    "ExecutionColumns",
    "CronExecution",
    "FuncExecution",
    "OneOff",
    "ExecutionIO",
    "CronState",
    "CronTick",
    "CronGap",
    "Token",
    "Audit",
    "Worker",
    "Beat",
    "SecretRow",
    "ReplicaRow",
    "Address",
    "Alert",
    "Destination",
    "Delivery",
    "DeadMan",
    "Chore",
    "TallyRow",
]
