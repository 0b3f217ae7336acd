"""Shared services of apps: databases, keys and topics, what an app may use of them, and its credentials."""

from norn_tasks.domain.services.grants import (
    HOST,
    Grant,
    GrantedPart,
    ServiceKind,
    Snapshot,
    SnapshotReason,
    credential,
    described,
    password_in,
    role_of,
    to_database,
)

__all__ = [
    "HOST",
    "Grant",
    "GrantedPart",
    "ServiceKind",
    "Snapshot",
    "SnapshotReason",
    "credential",
    "described",
    "password_in",
    "role_of",
    "to_database",
]
