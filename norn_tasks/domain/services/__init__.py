"""Shared services of apps: databases, keys and topics, the parts that an app may use, and the app's credentials."""

from norn_tasks.domain.services.grants import (
    HOST,
    Grant,
    GrantedPart,
    ServiceKind,
    credential,
    described,
    password_in,
    role_of,
    to_database,
)
from norn_tasks.domain.services.snapshots import (
    BackupDirectory,
    Dump,
    DumpDirectories,
    RowCounts,
    SeenDatabase,
    Snapshot,
    SnapshotReason,
    difference,
    dump_directories,
)

__all__ = [
    "BackupDirectory",
    "HOST",
    "Dump",
    "DumpDirectories",
    "Grant",
    "GrantedPart",
    "RowCounts",
    "SeenDatabase",
    "ServiceKind",
    "Snapshot",
    "SnapshotReason",
    "credential",
    "described",
    "difference",
    "dump_directories",
    "password_in",
    "role_of",
    "to_database",
]
