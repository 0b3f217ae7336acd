"""The steps for encrypted files of secrets in the format of sops. Only workers have the key that decrypts them."""

from __future__ import annotations

from norn_tasks.domain.errors import Conflict
from norn_tasks.domain.jobs.requests import ExportSecretsJobRequest
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.domain.secret import Secret, current, secret_name, secret_value
from norn_tasks.steps.step import Step, StepContext


class ImportSecrets(Step):
    """Stores the values from the job's encrypted file as secrets of the app, in one transaction that also deletes the
    file.
    """

    name = "import-secrets"

    def run(self, context: StepContext) -> Learned | None:
        """Returns a note that says which secrets have changed; raises SecretsFileRefused, or InvalidRequest for a bad
        name or value.
        """
        files, job = context.tools.secret_files, context.job
        text = files.find(job.id)
        if text is None:
            return Learned(note="the secrets were set before this job moved to another worker")
        found = context.tools.sops.opened(text)
        values = {secret_name(name): secret_value(name, value.reveal()) for name, value in found.items()}
        known = {name: value.reveal() for name, value in _known(context).items()}
        changed = {name: value for name, value in values.items() if known.get(name) != value.reveal()}
        versions = files.set_secrets(job.app, changed, context.watch.fence)
        notes = [f"{name} v{version}" for name, version in versions.items()]
        same = len(values) - len(changed)
        return Learned(note=", ".join([*notes, *([f"{same} unchanged"] if same else [])]))


class ExportSecrets(Step):
    """Writes the app's secrets, except the credentials that Norn sets, into a file that is encrypted for the requested
    keys.
    """

    name = "export-secrets"

    def run(self, context: StepContext) -> Learned | None:
        """Returns a note with the number of secrets in the file; raises Conflict if there is none, or SecretsLocked."""
        job, left_out = context.job, context.spec.services.credentials()
        values = {name: value for name, value in sorted(_known(context).items()) if name not in left_out}
        if not values:
            raise Conflict(f"{job.app} has no secret to export", hint=f"norn secrets list {job.app}")
        text = context.tools.sops.written(values, job.request_as(ExportSecretsJobRequest).recipients)
        context.tools.secret_files.keep(job.id, job.app, text, context.watch.fence)
        without = f"; without {', '.join(left_out)}, set by Norn" if left_out else ""
        return Learned(note=f"{len(values)} secrets{without}")


def _known(context: StepContext) -> dict[str, Secret]:
    """Returns the secrets that are set; raises SecretsLocked."""
    return {name: context.tools.vault.open(each) for name, each in current(context.job.sealed).items()}
