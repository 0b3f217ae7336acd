"""Shared services of apps: databases, keys, topics and buckets, which of them an app may use, and its credentials."""

from norn_tasks.domain.services.grants import (
    BUCKET_VARIABLES,
    HOST,
    Grant,
    GrantedPart,
    ServiceKind,
    bucket_variables,
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
    "BUCKET_VARIABLES",
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
    "bucket_variables",
    "credential",
    "described",
    "difference",
    "dump_directories",
    "password_in",
    "role_of",
    "to_database",
]
