"""Requests of jobs that read, write or encrypt secrets."""

from __future__ import annotations

from dataclasses import dataclass

from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.domain.jobs.requests.base import JobRequest


@dataclass(frozen=True)
class ImportSecretsJobRequest(JobRequest):
    """Sets the secrets that an encrypted file contains; the file is stored in a row of its own."""

    kind = JobKind.IMPORT_SECRETS


@dataclass(frozen=True)
class ExportSecretsJobRequest(JobRequest):
    """Writes the secrets of an app into a file that only the given keys can decrypt."""

    kind = JobKind.EXPORT_SECRETS

    recipients: tuple[str, ...]
    """The public age keys of the readers."""


@dataclass(frozen=True)
class RotateKeyJobRequest(JobRequest):
    """Encrypts all secrets of the server for a new key."""

    kind = JobKind.ROTATE_KEY
