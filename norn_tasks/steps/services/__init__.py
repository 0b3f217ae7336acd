"""Steps about the shared services of an app."""

from norn_tasks.steps.services.look import LookAtDatabases
from norn_tasks.steps.services.migrate import MigrateDatabase
from norn_tasks.steps.services.provision import DeleteServices, ProvisionServices
from norn_tasks.steps.services.restore import DiscardReplaced, DrillBackup, RestoreDatabase, SaveDatabase
from norn_tasks.steps.services.snapshot import PruneSnapshots, SnapshotDatabase, TakeSnapshot

__all__ = [
    "DeleteServices",
    "DiscardReplaced",
    "DrillBackup",
    "LookAtDatabases",
    "MigrateDatabase",
    "ProvisionServices",
    "PruneSnapshots",
    "RestoreDatabase",
    "SaveDatabase",
    "SnapshotDatabase",
    "TakeSnapshot",
]
