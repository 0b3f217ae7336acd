"""The pipelines that import and export an encrypted file of secrets, and rotate the server's key."""

from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.steps.secrets import ExportSecrets, ImportSecrets, MakeKey, ResealSecrets
from norn_tasks.steps.step import Step


def import_secrets(_job: Job) -> tuple[Step, ...]:
    """Returns the step that decrypts a file and sets its secrets."""
    return (ImportSecrets(),)


def export_secrets(_job: Job) -> tuple[Step, ...]:
    """Returns the step that writes the secrets into an encrypted file."""
    return (ExportSecrets(),)


def rotate_key(_job: Job) -> tuple[Step, ...]:
    """Returns the steps that create a new key and encrypt everything again with that key."""
    return MakeKey(), ResealSecrets()
