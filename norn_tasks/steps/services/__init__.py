"""Steps about the shared services of an app."""

from norn_tasks.steps.services.migrate import MigrateDatabase
from norn_tasks.steps.services.provision import DeleteServices, ProvisionServices
from norn_tasks.steps.services.snapshot import PruneSnapshots, SnapshotDatabase

__all__ = ["DeleteServices", "MigrateDatabase", "ProvisionServices", "PruneSnapshots", "SnapshotDatabase"]
