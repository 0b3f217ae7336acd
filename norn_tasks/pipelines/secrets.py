"""The import and the export of an encrypted file of secrets, and the rotation of the server's key."""

from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.steps.secrets import ExportSecrets, ImportSecrets, MakeKey, ResealSecrets
from norn_tasks.steps.step import Step


def import_secrets(_job: Job) -> tuple[Step, ...]:
    """Lists the step that decrypts a file and sets its secrets."""
    return (ImportSecrets(),)


def export_secrets(_job: Job) -> tuple[Step, ...]:
    """Lists the step that writes the secrets into an encrypted file."""
    return (ExportSecrets(),)


def rotate_key(_job: Job) -> tuple[Step, ...]:
    """Lists the steps that make a key and seal everything to it."""
    return MakeKey(), ResealSecrets()
