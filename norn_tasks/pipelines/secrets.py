"""Encrypted files of secrets: one is imported, or one is exported."""

from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.steps.secrets import ExportSecrets, ImportSecrets
from norn_tasks.steps.step import Step


def import_secrets(_job: Job) -> tuple[Step, ...]:
    """Lists the step that opens a file and sets its secrets."""
    return (ImportSecrets(),)


def export_secrets(_job: Job) -> tuple[Step, ...]:
    """Lists the step that writes the file."""
    return (ExportSecrets(),)
